import jsQR from "jsqr";
import { useEffect, useRef } from "react";
import { useText, type TextId } from "../../i18n";
import { useSteady } from "../context";

const every = 160;
const widest = 640;

/** Reads a code with the camera. The pictures stay in this page and are dropped once looked at. */
export default function Scanner({ found, failed }: { found: (text: string) => void; failed: (why: TextId) => void }) {
  const t = useText();
  const video = useRef<HTMLVideoElement>(null);
  const tell = useSteady(found);
  const fail = useSteady(failed);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let timer: ReturnType<typeof setInterval> | undefined;
    let over = false;
    const canvas = document.createElement("canvas");
    const look = () => {
      const v = video.current;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      if (!v?.videoWidth || !context) return;
      const scale = Math.min(1, widest / v.videoWidth);
      canvas.width = v.videoWidth * scale;
      canvas.height = v.videoHeight * scale;
      context.drawImage(v, 0, 0, canvas.width, canvas.height);
      const code = jsQR(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas.width, canvas.height, { inversionAttempts: "attemptBoth" });
      if (code?.data) tell(code.data.slice(0, 4_096));
    };
    const start = async () => {
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        if (over || !video.current) return stream.getTracks().forEach((x) => x.stop());
        video.current.srcObject = stream;
        await video.current.play();
        timer = setInterval(look, every);
      } catch (e) {
        if (!over) fail(e instanceof DOMException && e.name === "NotAllowedError" ? "camera.refused" : "camera.none");
      }
    };
    void start();
    return () => {
      over = true;
      clearInterval(timer);
      stream?.getTracks().forEach((x) => x.stop());
    };
  }, [tell, fail]);
  return <video ref={video} className="camera" muted playsInline aria-label={t("camera.label")} />;
}
