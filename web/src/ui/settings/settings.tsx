import { Dialog } from "@base-ui/react/dialog";
import { Tabs } from "@base-ui/react/tabs";
import { Bell, Eye, Info, Monitor, Palette, ShieldCheck, ShieldQuestionMark, User, X } from "lucide-react";
import { useRef, useState, type ReactNode } from "react";
import type { Settings as Wishes } from "../../core/bridge";
import type { Look } from "../../core/look";
import { PasskeyError, makePasskey, passkeysWork } from "../../core/passkey";
import { useText } from "../../i18n";
import { dateTime, duration } from "../../i18n/format";
import { useApp, useLook, useNow, useSession } from "../context";
import { Avatar, Button, Callout, Choices, Field, Setting, Switch } from "../kit";
import { Forget } from "../first/unlock";
import { tameName } from "../message/text";
import { Devices } from "./devices";
import "./settings.css";

export type Page = "profile" | "devices" | "look" | "notify" | "privacy" | "about";

/** What a person may change about themselves, this device and this page. */
export default function Settings({ page, close }: { page: Page; close: () => void }) {
  const t = useText();
  const [at, setAt] = useState<Page>(page);
  const chosen = useRef<HTMLElement>(null);
  const tabs: [Page, ReactNode, string, ReactNode][] = [
    ["profile", <User size={17} />, t("settings.profile"), <Profile />],
    ["devices", <Monitor size={17} />, t("settings.devices"), <Devices />],
    ["look", <Palette size={17} />, t("settings.look"), <Appearance />],
    ["notify", <Bell size={17} />, t("settings.notify"), <Notifications />],
    ["privacy", <Eye size={17} />, t("settings.privacy"), <Privacy />],
    ["about", <Info size={17} />, t("settings.about"), <About />],
  ];
  return (
    <Dialog.Root open onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="veil" />
        <Dialog.Popup className="dialog dialog-wide dialog-bare settings" initialFocus={chosen}>
          <Tabs.Root className="settings-root" orientation="vertical" value={at} onValueChange={(v) => setAt(v as Page)}>
            <div className="settings-side">
              <Dialog.Title className="dialog-title">{t("settings.title")}</Dialog.Title>
              <Tabs.List className="settings-tabs">
                {tabs.map(([id, icon, name]) => <Tabs.Tab key={id} value={id} className="settings-tab" ref={(e: HTMLElement | null) => { if (id !== at || !e) return; chosen.current = e; e.scrollIntoView({ block: "nearest", inline: "center" }); }}>{icon}<span>{name}</span></Tabs.Tab>)}
              </Tabs.List>
            </div>
            <Dialog.Close render={<button type="button" className="icon-button settings-close" aria-label={t("close")}><X size={18} /></button>} />
            {tabs.map(([id, , name, body]) => (
              <Tabs.Panel key={id} value={id} className="settings-panel">
                <h2>{name}</h2>
                {body}
              </Tabs.Panel>
            ))}
          </Tabs.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Profile() {
  const t = useText();
  const session = useSession();
  const me = useApp((s) => s.me);
  const [name, setName] = useState(me?.name ?? "");
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    if (await session.wish("rename", { name: name.trim() })) session.tell(t("saved"));
    setBusy(false);
  };
  return (
    <>
      <div className="profile"><Avatar id={me?.user ?? ""} name={name} size="4rem" /><div><b><bdi>{tameName(me?.name ?? "")}</bdi></b><span className="code setting-hint">{me?.user}</span></div></div>
      <form className="settings-form" onSubmit={(e) => { e.preventDefault(); void save(); }}>
        <Field label={t("join.name")} hint={t("join.name.hint")} value={name} maxLength={64} onChange={(e) => setName(e.target.value)} />
        <div><Button kind="main" type="submit" busy={busy} disabled={!name.trim() || name.trim() === me?.name}>{t("save")}</Button></div>
      </form>
      <dl className="facts"><dt>{t("profile.server")}</dt><dd>{me?.server}</dd><dt>{t("profile.network")}</dt><dd className="code">{me?.network}</dd></dl>
    </>
  );
}

function Appearance() {
  const t = useText();
  const { look, change } = useLook();
  return (
    <>
      <Setting name={t("look.theme")}><Choices<Look["theme"]> label={t("look.theme")} value={look.theme} change={(theme) => change({ theme })} options={[["system", t("look.system")], ["light", t("look.light")], ["dark", t("look.dark")]]} /></Setting>
      <Setting name={t("look.text")} hint={`${look.text} %`}><input type="range" className="range" min={80} max={200} step={10} value={look.text} aria-label={t("look.text")} aria-valuetext={`${look.text} %`} onChange={(e) => change({ text: Number(e.target.value) })} /></Setting>
      <Setting name={t("look.density")}><Choices<Look["density"]> label={t("look.density")} value={look.density} change={(density) => change({ density })} options={[["roomy", t("look.roomy")], ["compact", t("look.compact")]]} /></Setting>
      <Setting name={t("look.language")}><Choices<Look["language"]> label={t("look.language")} value={look.language} change={(language) => change({ language })} options={[["system", t("look.system")], ["en", "English"], ["de", "Deutsch"]]} /></Setting>
      <Switch name={t("look.contrast")} hint={t("look.contrast.hint")} on={look.contrast === "more"} change={(on) => change({ contrast: on ? "more" : "system" })} />
      <Switch name={t("look.motion")} hint={t("look.motion.hint")} on={look.motion === "less"} change={(on) => change({ motion: on ? "less" : "system" })} />
      <Setting name={t("look.send")}><Choices<Look["sendKey"]> label={t("look.send")} value={look.sendKey} change={(sendKey) => change({ sendKey })} options={[["enter", t("look.send.enter")], ["mod-enter", t("look.send.mod")]]} /></Setting>
    </>
  );
}

function Notifications() {
  const t = useText();
  const session = useSession();
  const { look, change } = useLook();
  const settings = useApp((s) => s.settings);
  const can = "Notification" in window;
  const [refused, setRefused] = useState(can && Notification.permission === "denied");
  const turn = async (on: boolean) => {
    if (on && can) {
      const answer = await Notification.requestPermission();
      setRefused(answer === "denied");
      if (answer !== "granted") return;
    }
    change({ notify: on });
  };
  return (
    <>
      <Switch name={t("notify.browser")} hint={t("notify.browser.hint")} on={look.notify && !refused && can} change={(on) => void turn(on)} />
      {refused && <Callout>{t("notify.refused")}</Callout>}
      <Switch name={t("notify.quiet")} hint={t("notify.quiet.hint")} on={look.quiet.on} change={(on) => change({ quiet: { ...look.quiet, on } })} />
      {look.quiet.on && <div className="quiet"><Minute name={t("notify.from")} value={look.quiet.from} change={(from) => change({ quiet: { ...look.quiet, from } })} /><Minute name={t("notify.to")} value={look.quiet.to} change={(to) => change({ quiet: { ...look.quiet, to } })} /></div>}
      <Pause />
      <Switch name={t("notify.previews")} hint={t("notify.previews.hint")} on={settings?.previews ?? false} change={(previews) => void session.setSettings({ previews })} />
    </>
  );
}

/** A time of day, in minutes since midnight. */
function Minute({ name, value, change }: { name: string; value: number; change: (minute: number) => void }) {
  const two = (n: number) => String(n).padStart(2, "0");
  const read = (text: string) => {
    const [hours, minutes] = text.split(":").map(Number);
    if (hours !== undefined && minutes !== undefined) change(hours * 60 + minutes);
  };
  return <Field label={name} type="time" required value={`${two(Math.floor(value / 60))}:${two(value % 60)}`} onChange={(e) => read(e.target.value)} />;
}

const pauses = [1, 4, 24];

/** No notifications for some hours. */
function Pause() {
  const t = useText();
  const { look, change } = useLook();
  const now = useNow(10_000);
  const on = look.pausedUntil > now;
  const until = (hours: number) => change({ pausedUntil: hours ? Date.now() + hours * 3_600_000 : 0 });
  return (
    <Setting name={t("notify.pause")} hint={on ? t("notify.paused", { time: dateTime(look.pausedUntil) }) : t("notify.pause.hint")}>
      {on ? <Button onClick={() => until(0)}>{t("notify.resume")}</Button> : (
        <select className="input select" aria-label={t("notify.pause")} value={0} onChange={(e) => until(Number(e.target.value))}>
          <option value={0}>{t("notify.pause.no")}</option>
          {pauses.map((h) => <option key={h} value={h}>{duration(h * 3_600, "long")}</option>)}
        </select>
      )}
    </Setting>
  );
}

const idle = [0, 300, 900, 3_600, 28_800];

function Privacy() {
  const t = useText();
  const session = useSession();
  const s = useApp((x) => x.settings);
  const [forgetting, setForgetting] = useState(false);
  const set = (change: Partial<Wishes>) => void session.setSettings(change);
  return (
    <>
      <Switch name={t("privacy.receipts")} hint={t("privacy.receipts.hint")} on={s?.receipts ?? false} change={(receipts) => set({ receipts })} />
      <Switch name={t("privacy.typing")} hint={t("privacy.typing.hint")} on={s?.typing ?? false} change={(typing) => set({ typing })} />
      <Setting name={t("privacy.idle")} hint={t("privacy.idle.hint")}>
        <select className="input select" aria-label={t("privacy.idle")} value={s?.idleLock ?? 0} onChange={(e) => set({ idleLock: Number(e.target.value) })}>
          {[...new Set([...idle, s?.idleLock ?? 0])].sort((a, b) => a - b).map((n) => <option key={n} value={n}>{n ? duration(n, "long") : t("privacy.never")}</option>)}
        </select>
      </Setting>
      <Passphrase />
      <Passkey />
      <Setting name={t("forget.title")} hint={t("forget.hint")}><Button kind="bad-quiet" onClick={() => setForgetting(true)}>{t("forget.start")}</Button></Setting>
      <Forget open={forgetting} close={() => setForgetting(false)} />
    </>
  );
}

function Passphrase() {
  const t = useText();
  const session = useSession();
  const has = useApp((s) => s.host?.passphrase === true);
  const [open, setOpen] = useState(false);
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setError(undefined);
    if (fresh.length < 8) return setError(t("guard.short", { n: 8 }));
    if (fresh !== again) return setError(t("guard.differ"));
    setBusy(true);
    try {
      await session.ask("changePassphrase", { ...(has ? { old: old.normalize("NFC") } : {}), new: fresh.normalize("NFC") });
      session.tell(t("passphrase.changed"));
      setOpen(false);
      setOld("");
      setFresh("");
      setAgain("");
    } catch (e) {
      setError(session.explain(e));
    }
    setBusy(false);
  };
  return (
    <>
      <Setting name={t("guard.passphrase")} hint={t("passphrase.hint")}><Button onClick={() => setOpen(!open)} aria-expanded={open}>{t("passphrase.change")}</Button></Setting>
      {open && (
        <form className="settings-form" onSubmit={(e) => { e.preventDefault(); void save(); }}>
          {has && <Field label={t("passphrase.old")} type="password" autoComplete="current-password" value={old} onChange={(e) => setOld(e.target.value)} />}
          <Field label={t("passphrase.new")} type="password" autoComplete="new-password" value={fresh} onChange={(e) => setFresh(e.target.value)} />
          <Field label={t("guard.again")} type="password" autoComplete="new-password" value={again} onChange={(e) => setAgain(e.target.value)} error={error} />
          <div><Button kind="main" type="submit" busy={busy} disabled={(has && !old) || !fresh}>{t("save")}</Button></div>
        </form>
      )}
    </>
  );
}

function Passkey() {
  const t = useText();
  const session = useSession();
  const slot = useApp((s) => s.host?.passkey);
  const name = useApp((s) => s.me?.name ?? "");
  const [error, setError] = useState<string>();
  const add = async () => {
    setError(undefined);
    try {
      if (!(await passkeysWork())) throw new PasskeyError("unsupported");
      await session.ask("passkey", { add: await makePasskey(name) });
      session.tell(t("passkey.added"));
    } catch (e) {
      setError(e instanceof PasskeyError ? t(`passkey.${e.reason}`) : session.explain(e));
    }
  };
  return (
    <>
      <Setting name={t("guard.passkey")} hint={t(slot ? "passkey.on" : "passkey.off")}>
        {slot ? <Button kind="bad-quiet" onClick={() => void session.wish("passkey", { remove: true })}>{t("passkey.remove")}</Button> : <Button onClick={() => void add()}>{t("passkey.add")}</Button>}
      </Setting>
      {error && <Callout kind="bad">{error}</Callout>}
    </>
  );
}

/** Whether this is the release, as far as a page can say: it can't vouch for itself. */
function Release({ native, server }: { native: boolean; server: string }) {
  const t = useText();
  const session = useSession();
  const command = `sconce verify-web ${server}`;
  return (
    <section className="release" aria-label={t("about.release")}>
      <h3>{native ? <ShieldCheck size={17} aria-hidden="true" /> : <ShieldQuestionMark size={17} aria-hidden="true" />}{t(native ? "about.release.native" : "about.release.unknown")}</h3>
      <p className="setting-hint">{t(native ? "about.release.native.text" : "about.release.unknown.text")}</p>
      {!native && <div className="release-how"><code className="code">{command}</code><Button small onClick={() => void navigator.clipboard.writeText(command).then(() => session.tell(t("copied")))}>{t("copy")}</Button></div>}
    </section>
  );
}

function About() {
  const t = useText();
  const host = useApp((s) => s.host);
  const me = useApp((s) => s.me);
  return (
    <>
      <dl className="facts">
        <dt>{t("about.version")}</dt><dd>{host?.version}</dd>
        <dt>{t("about.build")}</dt><dd className="code">{host?.build}</dd>
        <dt>{t("about.core")}</dt><dd>{t(host?.kind === "native" ? "about.native" : "about.browser")}</dd>
        <dt>{t("about.storage")}</dt><dd>{t(host?.persistent ? "about.kept" : "about.notKept")}</dd>
      </dl>
      <Release native={host?.kind === "native"} server={me?.server ?? location.origin} />
      <p className="setting-hint">{t("about.license")} <a className="licenses" href="/licenses.txt" target="_blank" rel="noopener">{t("about.licenses")}</a></p>
    </>
  );
}
