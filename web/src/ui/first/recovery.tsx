import { Check, Copy, Download } from "lucide-react";
import { useState } from "react";
import type { Me } from "../../core/bridge";
import { useText } from "../../i18n";
import { Button, Callout, Field } from "../kit";
import { tameName } from "../message/text";
import { Frame } from "./frame";

/** Which two groups of the key are asked back: never the first, which only says what it is. */
function asked(groups: number): [number, number] {
  const draw = () => 1 + Math.floor(Math.random() * (groups - 1));
  const a = draw();
  let b = draw();
  while (b === a && groups > 2) b = draw();
  return a < b ? [a, b] : [b, a];
}

/** Shows the recovery key, the only time it is shown, and goes on once two of its groups have come back. */
export function RecoveryKey({ value, me, done }: { value: string; me: Me; done: () => void }) {
  const t = useText();
  const step = t("step", { n: 3, of: 3 });
  const groups = value.split("-");
  const [checking, setChecking] = useState(false);
  const [copied, setCopied] = useState(false);
  const [which] = useState(() => asked(groups.length));
  const [typed, setTyped] = useState<[string, string]>(["", ""]);
  const [wrong, setWrong] = useState<[boolean, boolean]>([false, false]);

  const copy = async () => {
    await navigator.clipboard.writeText(value);
    setCopied(true);
  };
  const save = () => {
    const url = URL.createObjectURL(new Blob([`${t("recovery.file", { name: tameName(me.name) })}\n\n${value}\n${me.address}\n`], { type: "text/plain" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = "sconce-recovery-key.txt";
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const check = () => {
    const bad = which.map((at, i) => typed[i]?.trim().toUpperCase() !== groups[at]) as [boolean, boolean];
    setWrong(bad);
    if (!bad[0] && !bad[1]) done();
  };

  if (checking) {
    return (
      <Frame title={t("recovery.check")} text={t("recovery.check.text")} step={step} back={() => setChecking(false)}>
        <form onSubmit={(e) => { e.preventDefault(); check(); }} noValidate>
          <div className="recovery-check">
            {([0, 1] as const).map((i) => (
              <Field key={i} mono label={t("recovery.group", { n: which[i] + 1 })} value={typed[i]} autoFocus={i === 0} autoComplete="off" maxLength={12}
                error={wrong[i] ? t("recovery.wrong") : undefined}
                onChange={(e) => setTyped(i === 0 ? [e.target.value, typed[1]] : [typed[0], e.target.value])} />
            ))}
          </div>
          <Button type="submit" kind="main" wide>{t("recovery.finish")}</Button>
        </form>
      </Frame>
    );
  }
  return (
    <Frame title={t("recovery.title")} text={t("recovery.text")} step={step}>
      <div className="recovery" role="group" aria-label={t("recovery.title")}>
        {groups.map((g, i) => <span key={i}><small aria-hidden="true">{i + 1}</small>{g}</span>)}
      </div>
      <div className="first-acts first-acts-row">
        <Button onClick={() => void copy()}>{copied ? <Check size={16} /> : <Copy size={16} />}{t(copied ? "copied" : "copy")}</Button>
        <Button onClick={save}><Download size={16} />{t("recovery.save")}</Button>
      </div>
      <Callout kind="ember">{t("recovery.warning")}</Callout>
      <Button kind="main" wide onClick={() => setChecking(true)}>{t("recovery.next")}</Button>
    </Frame>
  );
}
