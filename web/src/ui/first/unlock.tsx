import { Fingerprint } from "lucide-react";
import { useState } from "react";
import { CoreError } from "../../core/bridge";
import { PasskeyError, usePasskey } from "../../core/passkey";
import { useText } from "../../i18n";
import { useApp, useSession } from "../context";
import { Button, Callout, Confirm, Field } from "../kit";
import { Frame } from "./frame";
import { Welcome } from "./welcome";

/** The door to what this device holds. */
export function Unlock() {
  const t = useText();
  const session = useSession();
  const slot = useApp((s) => s.host?.passkey);
  const phrase = useApp((s) => s.host?.passphrase === true || !s.host?.passkey);
  const [passphrase, setPassphrase] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState<"passkey" | "passphrase">();
  const [forgetting, setForgetting] = useState(false);

  const open = async (how: "passkey" | "passphrase") => {
    setBusy(how);
    setError(undefined);
    try {
      const proof = how === "passphrase" ? { passphrase: passphrase.normalize("NFC") } : slot && { passkey: { secret: await usePasskey(slot) } };
      if (proof) await session.enter(() => session.ask("unlock", proof));
    } catch (e) {
      if (e instanceof PasskeyError) setError(t(`passkey.${e.reason}`));
      else if (e instanceof CoreError && e.code === "wrong_passphrase") setError(t(how === "passkey" ? "unlock.wrong.passkey" : "unlock.wrong"));
      else setError(session.explain(e));
    } finally {
      setBusy(undefined);
    }
  };

  return (
    <Frame title={t("unlock.title")} text={t("unlock.text")} dark>
      {slot && (
        <>
          <Button kind="main" wide busy={busy === "passkey"} onClick={() => void open("passkey")} autoFocus><Fingerprint size={18} />{t("unlock.passkey")}</Button>
          {phrase ? <div className="first-or">{t("or")}</div> : error && <Callout kind="bad">{error}</Callout>}
        </>
      )}
      {phrase && <form noValidate onSubmit={(e) => { e.preventDefault(); void open("passphrase"); }}>
        <Field label={t("guard.first")} type="password" autoComplete="current-password" value={passphrase} autoFocus={!slot} error={error}
          onChange={(e) => { setPassphrase(e.target.value); setError(undefined); }} />
        <Button type="submit" kind={slot ? "plain" : "main"} wide busy={busy === "passphrase"} disabled={passphrase === ""}>{t("unlock.go")}</Button>
      </form>}
      <Button kind="quiet" wide onClick={() => setForgetting(true)}>{t("unlock.lost")}</Button>
      <Forget open={forgetting} close={() => setForgetting(false)} />
    </Frame>
  );
}

/** Asks for a word before everything on this device goes. */
export function Forget({ open, close }: { open: boolean; close: () => void }) {
  const t = useText();
  const session = useSession();
  const [typed, setTyped] = useState("");
  const word = t("forget.word");
  const act = () => void session.enter(() => session.wish("forget", {}));
  return (
    <Confirm open={open} close={close} title={t("forget.title")} text={t("forget.text")} yes={t("forget.go")} bad
      ready={typed.trim().toLowerCase() === word.toLowerCase()} act={act}>
      <Field label={t("forget.type", { word })} value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="off" />
    </Confirm>
  );
}

/** A device that its person has taken out from another one. */
export function Removed() {
  const t = useText();
  const [forgetting, setForgetting] = useState(false);
  return (
    <Frame title={t("removed.title")} text={t("removed.text")} dark>
      <Callout>{t("removed.more")}</Callout>
      <Button kind="bad" wide onClick={() => setForgetting(true)}>{t("removed.forget")}</Button>
      <Forget open={forgetting} close={() => setForgetting(false)} />
    </Frame>
  );
}

/** Signing up was cut off before it was done: the same invite goes on with it. */
export function Unfinished({ hold }: { hold: (on: boolean) => void }) {
  const t = useText();
  const session = useSession();
  const [going, setGoing] = useState(() => location.hash.length > 1);
  const [busy, setBusy] = useState(false);
  if (going) return <Welcome hold={hold} />;
  const over = async () => {
    setBusy(true);
    await session.enter(() => session.wish("forget", {}));
    setBusy(false);
  };
  return (
    <Frame title={t("unfinished.title")} text={t("unfinished.text")}>
      <div className="first-acts">
        <Button kind="main" wide onClick={() => setGoing(true)}>{t("unfinished.go")}</Button>
        <Button kind="quiet" wide busy={busy} onClick={() => void over()}>{t("unfinished.again")}</Button>
      </div>
    </Frame>
  );
}

/** The core could not be asked at all: why, and one way on. */
export function Trouble({ text }: { text: string }) {
  const t = useText();
  const session = useSession();
  const [busy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    await session.again();
    setBusy(false);
  };
  return (
    <Frame title={t("trouble.title")} text={text} dark>
      <Button kind="main" wide busy={busy} onClick={() => void again()}>{t("retry")}</Button>
    </Frame>
  );
}
