import { Camera, ShieldCheck } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import type { DeviceView, SafetyView } from "../../core/bridge";
import { useText } from "../../i18n";
import { date } from "../../i18n/format";
import { useApp, useSession } from "../context";
import { Avatar, Button, Callout, Dialog, TrustMark } from "../kit";
import { Qr } from "../kit/qr";
import { tameName } from "../message/text";
import "./people.css";

const Scanner = lazy(() => import("../kit/scanner"));

/** A person: who they are, whether that was checked, and from which devices they speak. */
export function PersonDialog({ user, compare, close }: { user: string; compare: boolean; close: () => void }) {
  const t = useText();
  const session = useSession();
  const me = useApp((s) => s.me?.user);
  const known = useApp((s) => s.people.find((p) => p.user === user) ?? Object.values(s.rooms).flatMap((r) => r.members).find((m) => m.user === user));
  const [checking, setChecking] = useState(compare);
  const [devices, setDevices] = useState<readonly DeviceView[]>();
  useEffect(() => {
    session.ask("roomDevices", { user }).then(setDevices, () => setDevices([]));
  }, [session, user]);
  const name = tameName(known?.name ?? user.slice(0, 8));
  if (checking) return <Safety user={user} name={name} close={close} back={() => setChecking(false)} />;
  const write = async () => {
    close();
    try {
      const room = await session.ask("directRoom", { user });
      session.dispatch({ type: "event", event: { room }, now: Date.now() });
      session.select(room.room);
    } catch (e) {
      session.tell(session.explain(e), "problem");
    }
  };
  return (
    <Dialog open close={close} title={t("person.title")}>
      <div className="person-card">
        <Avatar id={user} name={name} size="4.5rem" />
        <h3><bdi>{name}</bdi></h3>
        {known && <TrustMark trust={known.trust} />}
      </div>
      {known?.trust === "changed" && <Callout kind="bad">{t("changed.more", { name })}</Callout>}
      {user !== me && (
        <div className="person-acts">
          <Button onClick={() => void write()}>{t("person.write")}</Button>
          <Button kind={known?.trust === "verified" ? "plain" : "main"} onClick={() => setChecking(true)}><ShieldCheck size={16} />{t(known?.trust === "verified" ? "safety.show" : "safety.verify")}</Button>
        </div>
      )}
      {!devices && <div className="person-wait" aria-hidden="true" />}
      {devices && devices.length > 0 && (
        <section className="person-devices">
          <h3>{t("person.devices", { n: devices.length })}</h3>
          <ul>
            {devices.map((d) => (
              <li key={d.device}>
                <bdi>{tameName(d.name)}</bdi>
                <span className="person-note">{t("device.added", { date: date(d.added) })}</span>
                <span className="code person-note">{d.fingerprint}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Dialog>
  );
}

/** Two people compare a number, by eye, by ear or by camera. */
function Safety({ user, name, close, back }: { user: string; name: string; close: () => void; back: () => void }) {
  const t = useText();
  const session = useSession();
  const [view, setView] = useState<SafetyView>();
  const [error, setError] = useState<string>();
  const [scanning, setScanning] = useState(false);
  const [result, setResult] = useState<"same" | "different">();
  useEffect(() => {
    session.ask("safety", { user }).then(setView, (e: unknown) => setError(session.explain(e)));
  }, [session, user]);
  const mark = async (verified: boolean) => {
    if (await session.wish("markVerified", { user, verified })) {
      if (verified) session.tell(t("safety.done", { name }));
      void session.people();
      close();
    }
  };
  const scanned = async (text: string) => {
    setScanning(false);
    try {
      const { same } = await session.ask("checkSafety", { user, scanned: text });
      setResult(same ? "same" : "different");
    } catch (e) {
      setError(session.explain(e));
    }
  };
  return (
    <Dialog open close={close} title={t("safety.title", { name })} text={t("safety.text", { name })}>
      {error && <Callout kind="bad">{error}</Callout>}
      {scanning ? (
        <Suspense fallback={<div className="camera" />}><Scanner found={(text) => void scanned(text)} failed={(why) => { setScanning(false); setError(t(why)); }} /></Suspense>
      ) : view && (
        <>
          <div className="safety">
            <Qr text={view.qr ?? view.number} label={t("safety.qr")} />
            <ol className="safety-number" aria-label={t("safety.number")}>{view.number.split(" ").map((g, i) => <li key={i} className="code">{g}</li>)}</ol>
          </div>
          {result === "same" && <p className="mark mark-verified" role="status"><ShieldCheck size={16} aria-hidden="true" />{t("safety.same")}</p>}
          {result === "different" && <Callout kind="bad">{t("safety.different", { name })}</Callout>}
        </>
      )}
      <div className="dialog-foot">
        <Button kind="quiet" onClick={back}>{t("back")}</Button>
        {view?.trust === "verified" ? <Button kind="bad-quiet" onClick={() => void mark(false)}>{t("safety.undo")}</Button> : (
          <>
            <Button onClick={() => setScanning(!scanning)}><Camera size={16} />{t(scanning ? "cancel" : "safety.scan")}</Button>
            <Button kind="main" disabled={!view || result === "different"} onClick={() => void mark(true)}>{t("safety.mark")}</Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
