// What a browser's camera sees in a test: the code that is on another screen.
import { writeFileSync } from "node:fs";

const width = 640;
const height = 480;
const white = 235;
const black = 16;

/** Makes Chromium take a file for its camera, and asks nobody whether it may. */
export const cameraArgs = (file) => ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${file}`];

/** Films the code that a page shows: some frames of it in the middle of a white wall. */
export async function film(file, qr) {
  const { size, path } = await qr.locator("svg").evaluate((svg) => ({ size: svg.viewBox.baseVal.width, path: svg.querySelector("path").getAttribute("d") }));
  const dark = new Set([...path.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => Number(y) * size + Number(x)));
  if (dark.size === 0) throw new Error("the page shows no code");
  const dot = Math.floor((height - 80) / size);
  const [left, top] = [(width - dot * size) >> 1, (height - dot * size) >> 1];
  const light = Buffer.alloc(width * height, white);
  for (let y = 0; y < dot * size; y++) {
    for (let x = 0; x < dot * size; x++) {
      if (dark.has(Math.floor(y / dot) * size + Math.floor(x / dot))) light[(top + y) * width + left + x] = black;
    }
  }
  const frame = Buffer.concat([Buffer.from("FRAME\n"), light, Buffer.alloc((width * height) / 2, 128)]);
  writeFileSync(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), frame, frame, frame]));
}
