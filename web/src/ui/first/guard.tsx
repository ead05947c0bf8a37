import { Radio } from "@base-ui/react/radio";
import { RadioGroup } from "@base-ui/react/radio-group";
import { Fingerprint, KeyRound } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import type { PasskeySecret } from "../../core/bridge";
import { makePasskey, PasskeyError, passkeysWork } from "../../core/passkey";
import { strength } from "../../core/strength";
import { useText, type TextId } from "../../i18n";
import { useSession } from "../context";
import { Button, Callout, Field } from "../kit";

/** What opens the store of this device from now on. */
export interface Guarded {
  passphrase?: string;
  passkey?: PasskeySecret;
}

const shortest = 8;

/** Lets a person choose how their messages are locked up on this device. */
export function Guard({ name, act, go, extra }: { name: string; act: string; go: (guard: Guarded) => Promise<void>; extra?: ReactNode }) {
  const t = useText();
  const session = useSession();
  const [way, setWay] = useState<"passkey" | "passphrase">("passphrase");
  const [can, setCan] = useState<boolean>();
  const [first, setFirst] = useState("");
  const [again, setAgain] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const [wrong, setWrong] = useState<{ first?: string; again?: string }>({});

  useEffect(() => {
    void passkeysWork().then(setCan);
  }, []);

  const submit = async () => {
    setError(undefined);
    const faults = way === "passphrase" ? { ...(first.length < shortest ? { first: t("guard.short", { n: shortest }) } : {}), ...(first !== again ? { again: t("guard.differ") } : {}) } : {};
    setWrong(faults);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    try {
      await go(way === "passphrase" ? { passphrase: first.normalize("NFC") } : { passkey: await makePasskey(name) });
    } catch (e) {
      if (e instanceof PasskeyError) {
        setError(t(`passkey.${e.reason}`));
        if (e.reason !== "refused") setWay("passphrase");
      } else {
        setError(session.explain(e));
      }
    } finally {
      setBusy(false);
    }
  };

  const level = strength(first);
  return (
    <form onSubmit={(e) => { e.preventDefault(); void submit(); }} noValidate>
      <RadioGroup className="guard" aria-label={t("guard.title")} value={way} onValueChange={(v) => setWay(v as typeof way)}>
        <Radio.Root className="guard-option" value="passkey" disabled={can !== true} aria-label={t("guard.passkey")}>
          <Fingerprint size={20} aria-hidden="true" />
          <span>
            <b>{t("guard.passkey")}</b>
            <small>{t(can === false ? "guard.passkey.not" : "guard.passkey.hint")}</small>
          </span>
        </Radio.Root>
        <Radio.Root className="guard-option" value="passphrase" aria-label={t("guard.passphrase")}>
          <KeyRound size={20} aria-hidden="true" />
          <span>
            <b>{t("guard.passphrase")}</b>
            <small>{t("guard.passphrase.hint")}</small>
          </span>
        </Radio.Root>
      </RadioGroup>
      {way === "passphrase" && (
        <>
          <Field label={t("guard.first")} type="password" autoComplete="new-password" value={first} onChange={(e) => { setFirst(e.target.value); setWrong({}); }} error={wrong.first}
            hint={<>
              <span role="status">{first ? t(`strength.${level}` as TextId) : t("guard.first.hint")}</span>
              <span className="strength" data-level={first ? Math.max(1, level) : 0} aria-hidden="true"><i /><i /><i /><i /></span>
            </>} />
          <Field label={t("guard.again")} type="password" autoComplete="new-password" value={again} onChange={(e) => { setAgain(e.target.value); setWrong({}); }} error={wrong.again} />
        </>
      )}
      {extra}
      {error && <div role="alert"><Callout kind="bad">{error}</Callout></div>}
      <Button type="submit" kind="main" wide busy={busy}>{act}</Button>
    </form>
  );
}
