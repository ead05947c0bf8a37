import { ArrowRight, Castle, LifeBuoy, MonitorSmartphone } from "lucide-react";
import { useEffect, useState } from "react";
import { CoreError, type ErrorCode, type InviteView, type Me } from "../../core/bridge";
import { useText } from "../../i18n";
import { useApp, useSession } from "../context";
import { Button, Callout, Field } from "../kit";
import { Qr } from "../kit/qr";
import { Frame } from "./frame";
import { Guard, type Guarded } from "./guard";
import { RecoveryKey } from "./recovery";

type Way = { at: "start" } | { at: "join"; invite: string; view: InviteView } | { at: "link"; address: string } | { at: "recover"; address: string };

/** What the page's address carries behind its #, which no server ever sees. */
function carried(): string {
  return location.hash.length > 1 ? location.href : "";
}

/** Everything before a person is in: by an invite, from another device of theirs, or with the recovery key. */
export function Welcome({ hold }: { hold: (on: boolean) => void }) {
  const session = useSession();
  const persistent = useApp((s) => s.host?.persistent ?? true);
  const [way, setWay] = useState<Way>({ at: "start" });
  const [recovery, setRecovery] = useState<{ key: string; me: Me }>();

  const take = async (address: string): Promise<string | undefined> => {
    if (/#device1\./.test(address)) {
      setWay({ at: "link", address });
      return undefined;
    }
    try {
      const view = await session.ask("invite", { code: address });
      if (!view.valid) return "invite.bad";
      setWay({ at: "join", invite: address, view });
      return undefined;
    } catch (e) {
      return session.explain(e);
    }
  };
  useEffect(() => {
    const address = carried();
    if (!address) return;
    void take(address);
    // The invite has been read: it need not stay in the address bar and in the history.
    history.replaceState(null, "", location.pathname + location.search);
    // eslint-disable-next-line -- once, when the page opens
  }, []);

  if (recovery) {
    return <RecoveryKey value={recovery.key} me={recovery.me} done={() => hold(false)} />;
  }
  const start = () => setWay({ at: "start" });
  switch (way.at) {
    case "join":
      return <Join way={way} back={() => { hold(false); start(); }} persistent={persistent} joined={(key, me) => setRecovery({ key, me })} hold={hold} />;
    case "link":
      return <Link address={way.address} back={start} />;
    case "recover":
      return <Recover address={way.address} back={start} />;
    default:
      return <Start take={take} link={(address) => setWay({ at: "link", address })} recover={() => setWay({ at: "recover", address: "" })} persistent={persistent} />;
  }
}

interface StartProps {
  take: (address: string) => Promise<string | undefined>;
  link: (address: string) => void;
  recover: () => void;
  persistent: boolean;
}

function Start({ take, link, recover, persistent }: StartProps) {
  const t = useText();
  const [address, setAddress] = useState("");
  const [error, setError] = useState<string>();
  const submit = async () => {
    const said = address.trim() ? await take(address.trim()) : "invite.bad";
    setError(said === "invite.bad" ? t("invite.bad") : said);
  };
  return (
    <Frame title={t("welcome.title")} text={t("welcome.text")}>
      {!persistent && <Callout>{t("storage.none")}</Callout>}
      <form onSubmit={(e) => { e.preventDefault(); void submit(); }} noValidate>
        <Field label={t("invite.label")} placeholder="https://chat.example.org/#…" value={address} error={error} mono autoComplete="off"
          onChange={(e) => { setAddress(e.target.value); setError(undefined); }} />
        <Button type="submit" kind="main" wide>{t("next")}</Button>
      </form>
      <div className="first-ways">
        <button type="button" className="first-way" onClick={() => link("")}>
          <MonitorSmartphone size={20} aria-hidden="true" />
          <span><b>{t("welcome.link")}</b><small>{t("welcome.link.hint")}</small></span>
          <ArrowRight size={16} className="flip" aria-hidden="true" />
        </button>
        <button type="button" className="first-way" onClick={recover}>
          <LifeBuoy size={20} aria-hidden="true" />
          <span><b>{t("welcome.recover")}</b><small>{t("welcome.recover.hint")}</small></span>
          <ArrowRight size={16} className="flip" aria-hidden="true" />
        </button>
      </div>
    </Frame>
  );
}

interface JoinProps {
  way: { invite: string; view: InviteView };
  back: () => void;
  persistent: boolean;
  joined: (recovery: string, me: Me) => void;
  hold: (on: boolean) => void;
}

function Join({ way, back, persistent, joined, hold }: JoinProps) {
  const t = useText();
  const session = useSession();
  const [named, setNamed] = useState(false);
  const [name, setName] = useState("");
  const [device, setDevice] = useState(() => guessDevice());
  const [error, setError] = useState<string>();

  if (!named) {
    return (
      <Frame title={t("join.title")} text={t("join.text")} step={t("step", { n: 1, of: 3 })} back={back}>
        <div className="inviter">
          <Castle size={22} aria-hidden="true" />
          <div>
            <b>{host(way.view.server ?? "")}</b>
            <small>{t("join.network")} <span className="code">{(way.view.network ?? "").slice(0, 12)}</span></small>
          </div>
        </div>
        <form noValidate onSubmit={(e) => { e.preventDefault(); if (name.trim()) setNamed(true); else setError(t("join.name.empty")); }}>
          <Field label={t("join.name")} hint={t("join.name.hint")} value={name} error={error} autoFocus autoComplete="name" maxLength={64} onChange={(e) => { setName(e.target.value); setError(undefined); }} />
          <Field label={t("join.device")} hint={t("join.device.hint")} value={device} maxLength={64} onChange={(e) => setDevice(e.target.value)} />
          <Button type="submit" kind="main" wide>{t("next")}</Button>
        </form>
      </Frame>
    );
  }
  const go = async (guard: Guarded) => {
    hold(true);
    try {
      const made = await session.ask("join", { invite: way.invite, name: name.trim(), deviceName: device.trim() || guessDevice(), ...guard });
      joined(made.recovery, made.me);
    } catch (e) {
      // Who was refused can try another invite. Whatever else cut it off, the same call goes on where it stopped,
      // so the screen stays: the invite may be used up by now, and only what is stored here can finish with it.
      if (e instanceof CoreError && refusals.has(e.code)) await session.ask("forget", {});
      throw e;
    }
  };
  return (
    <Frame title={t("guard.title")} text={t("guard.text")} step={t("step", { n: 2, of: 3 })} back={() => setNamed(false)}>
      <Guard name={name.trim()} act={t("join.go")} go={go} extra={persistent ? undefined : <Callout>{t("storage.none")}</Callout>} />
    </Frame>
  );
}

/** Answers of a server that will have nothing to do with an invite. */
const refusals: ReadonlySet<ErrorCode> = new Set(["forbidden", "not_found", "invalid", "unauthenticated"]);

function Link({ address: given, back }: { address: string; back: () => void }) {
  const t = useText();
  const session = useSession();
  const link = useApp((s) => s.link);
  const [address, setAddress] = useState(given);
  const [ready, setReady] = useState(given !== "");
  const [device, setDevice] = useState(() => guessDevice());
  const [waiting, setWaiting] = useState(false);
  const [error, setError] = useState<string>();
  useEffect(() => () => session.cancelLink(), [session]);

  if (!ready) {
    const submit = () => (/#device1\./.test(address) ? setReady(true) : setError(t("link.address.bad")));
    return (
      <Frame title={t("link.title")} text={t("link.text")} back={back}>
        <form noValidate onSubmit={(e) => { e.preventDefault(); submit(); }}>
          <Field label={t("link.address")} hint={t("link.address.hint")} mono value={address} error={error} autoFocus autoComplete="off" placeholder="https://chat.example.org/#device1.…"
            onChange={(e) => { setAddress(e.target.value.trim()); setError(undefined); }} />
          <Button type="submit" kind="main" wide>{t("next")}</Button>
        </form>
      </Frame>
    );
  }
  if (!waiting) {
    const go = async (guard: Guarded) => {
      setWaiting(true);
      try {
        await session.link({ address, deviceName: device.trim() || guessDevice(), ...guard });
      } catch (e) {
        setWaiting(false);
        setError(session.explain(e));
      }
    };
    return (
      <Frame title={t("guard.title")} text={t("link.guard")} back={back}>
        <Field label={t("join.device")} hint={t("join.device.hint")} value={device} maxLength={64} onChange={(e) => setDevice(e.target.value)} />
        <Guard name={device} act={t("next")} go={go} extra={error && <Callout kind="bad">{error}</Callout>} />
      </Frame>
    );
  }
  return (
    <Frame title={t("link.show")} text={t("link.show.text")} back={() => { session.cancelLink(); back(); }}>
      <div className="first-center" aria-live="polite">
        {link ? <Qr text={link.code} label={t("link.qr")} /> : <div className="qr qr-empty"><span className="spinner" /></div>}
        <div className="link-code">{link?.code ?? "…"}</div>
        <p className="field-hint">{t("link.waiting")}</p>
      </div>
    </Frame>
  );
}

function Recover({ address: given, back }: { address: string; back: () => void }) {
  const t = useText();
  const session = useSession();
  const [address, setAddress] = useState(given);
  const [key, setKey] = useState("");
  const [device, setDevice] = useState(() => guessDevice());
  const [ready, setReady] = useState(false);
  if (!ready) {
    return (
      <Frame title={t("recover.title")} text={t("recover.text")} back={back}>
        <form noValidate onSubmit={(e) => { e.preventDefault(); if (key.trim() && address.trim()) setReady(true); }}>
          <Field label={t("recover.key")} mono value={key} autoFocus autoComplete="off" onChange={(e) => setKey(e.target.value)} />
          <Field label={t("recover.address")} hint={t("recover.address.hint")} mono value={address} autoComplete="off" placeholder="https://chat.example.org/#…" onChange={(e) => setAddress(e.target.value)} />
          <Field label={t("join.device")} value={device} maxLength={64} onChange={(e) => setDevice(e.target.value)} />
          <Button type="submit" kind="main" wide disabled={!key.trim() || !address.trim()}>{t("next")}</Button>
        </form>
      </Frame>
    );
  }
  const go = (guard: Guarded) =>
    session.enter(() => session.ask("recover", { recovery: key.trim(), address: address.trim(), deviceName: device.trim() || guessDevice(), ...guard }));
  return (
    <Frame title={t("guard.title")} text={t("recover.guard")} back={() => setReady(false)}>
      <Guard name={device} act={t("recover.go")} go={go} />
    </Frame>
  );
}

export function host(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** A first name for this device that its person would know it by. */
export function guessDevice(agent = navigator.userAgent): string {
  const browser = /Firefox\//.test(agent) ? "Firefox" : /Edg\//.test(agent) ? "Edge" : /Chrom(e|ium)\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : "Browser";
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Mac OS/.test(agent) ? "macOS" : /Windows/.test(agent) ? "Windows" : /CrOS/.test(agent) ? "ChromeOS" : "Linux";
  return `${browser} · ${system}`;
}
