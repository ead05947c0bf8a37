import { Camera, Laptop, Smartphone, SquareTerminal } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import type { DeviceView } from "../../core/bridge";
import { useText } from "../../i18n";
import { date, since } from "../../i18n/format";
import { useApp, useSession } from "../context";
import { Button, Callout, Confirm, Field } from "../kit";
import { Qr } from "../kit/qr";
import { tameName } from "../message/text";

const Scanner = lazy(() => import("../kit/scanner"));

/** One's own devices: what each may do, letting a new one in, taking one out. */
export function Devices() {
  const t = useText();
  const session = useSession();
  const me = useApp((s) => s.me);
  const [devices, setDevices] = useState<readonly DeviceView[]>();
  const [removing, setRemoving] = useState<DeviceView>();
  const [linking, setLinking] = useState(false);
  const begin = useRef<HTMLButtonElement>(null);
  const linked = () => {
    setLinking(false);
    load();
    requestAnimationFrame(() => begin.current?.focus());
  };
  const load = useCallback(() => {
    session.ask("devices", {}).then(setDevices, (e: unknown) => session.tell(session.explain(e), "problem"));
  }, [session]);
  useEffect(load, [load, me]);
  return (
    <>
      {linking ? <LinkDevice address={me?.address ?? ""} done={linked} /> : <div><Button ref={begin} kind="main" onClick={() => setLinking(true)}>{t("device.link")}</Button></div>}
      <ul className="devices">
        {devices?.map((d) => (
          <li key={d.device}>
            <Icon name={d.name} />
            <div className="setting-text">
              <span className="setting-name"><bdi>{tameName(d.name)}</bdi>{d.this && <span className="device-this">{t("device.this")}</span>}</span>
              <span className="setting-hint">{t("device.added", { date: date(d.added) })}{d.lastSeen && !d.this ? ` · ${t("device.seen", { when: since(d.lastSeen) })}` : ""}</span>
              {d.fingerprint && <span className="setting-hint code" title={t("device.fingerprint")}>{d.fingerprint}</span>}
            </div>
            {!d.this && <Button small kind="bad-quiet" aria-label={t("device.remove.label", { name: tameName(d.name) })} onClick={() => setRemoving(d)}>{t("device.remove")}</Button>}
          </li>
        ))}
      </ul>
      <Confirm open={removing !== undefined} close={() => setRemoving(undefined)} title={t("device.remove.title", { name: tameName(removing?.name ?? "") })} text={t("device.remove.text")} yes={t("device.remove")} bad
        act={() => { if (removing) void session.wish("removeDevice", { device: removing.device }).then(load); }} />
    </>
  );
}

function Icon({ name }: { name: string }) {
  if (/android|pixel|phone|ios/i.test(name)) return <Smartphone size={22} aria-hidden="true" />;
  if (/sconce|terminal|cli/i.test(name)) return <SquareTerminal size={22} aria-hidden="true" />;
  return <Laptop size={22} aria-hidden="true" />;
}

function LinkDevice({ address, done }: { address: string; done: () => void }) {
  const t = useText();
  const session = useSession();
  const [code, setCode] = useState("");
  const [scanning, setScanning] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  // The button that led here is gone, and the focus must not go with it.
  const steps = useRef<HTMLDivElement>(null);
  useEffect(() => steps.current?.focus(), []);
  const approve = async (asked: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await session.ask("approve", { code: asked.trim() });
      done();
    } catch (e) {
      setError(session.explain(e));
    }
    setBusy(false);
  };
  return (
    <div ref={steps} className="link-device" tabIndex={-1}>
      <section>
        <h3><span className="link-step figures">1</span>{t("device.link.open")}</h3>
        <div className="link-open">
          <Qr text={address} label={t("device.link.qr")} />
          <div>
            <p className="setting-hint">{t("device.link.address")}</p>
            <p className="code link-address">{address}</p>
            <Button small onClick={() => void navigator.clipboard.writeText(address).then(() => session.tell(t("copied")))}>{t("copy")}</Button>
          </div>
        </div>
      </section>
      <section>
        <h3><span className="link-step figures">2</span>{t("device.link.code")}</h3>
        {scanning ? (
          <Suspense fallback={<div className="camera" />}><Scanner found={(text) => { setScanning(false); setCode(text); void approve(text); }} failed={(why) => { setScanning(false); setError(t(why)); }} /></Suspense>
        ) : null}
        <form className="settings-form" onSubmit={(e) => { e.preventDefault(); void approve(code); }}>
          <Field label={t("device.code")} mono value={code} autoComplete="off" placeholder="SD1-…" onChange={(e) => setCode(e.target.value)} />
          <Callout>{t("device.link.warning")}</Callout>
          {error && <p className="field-error" role="alert">{error}</p>}
          <div className="dialog-foot">
            <Button kind="quiet" onClick={done}>{t("cancel")}</Button>
            <Button onClick={() => setScanning(!scanning)}><Camera size={16} />{t(scanning ? "cancel" : "device.scan")}</Button>
            <Button kind="main" type="submit" busy={busy} disabled={!code.trim()}>{t("device.approve")}</Button>
          </div>
        </form>
      </section>
    </div>
  );
}
