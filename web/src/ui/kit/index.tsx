import { AlertDialog } from "@base-ui/react/alert-dialog";
import { Dialog as BaseDialog } from "@base-ui/react/dialog";
import { Radio } from "@base-ui/react/radio";
import { RadioGroup } from "@base-ui/react/radio-group";
import { Switch as BaseSwitch } from "@base-ui/react/switch";
import { Tooltip } from "@base-ui/react/tooltip";
import { Eye, EyeOff, Search as SearchIcon, ShieldAlert, ShieldCheck, TriangleAlert, X } from "lucide-react";
import { useId, useRef, useState, type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactElement, type ReactNode, type Ref } from "react";
import type { Trust } from "../../core/bridge";
import { useText } from "../../i18n";
import "./kit.css";

type ButtonKind = "main" | "plain" | "quiet" | "bad" | "bad-quiet";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  wide?: boolean;
  small?: boolean;
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ kind = "plain", wide, small, busy, className, children, disabled, ...rest }: ButtonProps) {
  const names = ["button", `button-${kind}`, wide && "button-wide", small && "button-small", className];
  return (
    <button type="button" className={names.filter(Boolean).join(" ")} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {busy && <span className="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
  keys?: string;
  small?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

/** A button that shows a picture; its name is heard, and seen when the pointer rests on it. */
export function IconButton({ label, keys, small, children, className, ...rest }: IconButtonProps) {
  const names = ["icon-button", small && "icon-button-small", className].filter(Boolean).join(" ");
  return (
    <Tip text={label} keys={keys}>
      <button type="button" className={names} aria-label={label} {...rest}>
        {children}
      </button>
    </Tip>
  );
}

export function Tip({ text, keys, children }: { text: string; keys?: string; children: ReactElement }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} delay={450} />
      <Tooltip.Portal>
        <Tooltip.Positioner className="positioner" sideOffset={6}>
          <Tooltip.Popup className="tip">
            {text}
            {keys && <kbd className="key">{keys}</kbd>}
          </Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: ReactNode;
  error?: string;
  mono?: boolean;
  ref?: Ref<HTMLInputElement>;
}

export function Field({ label, hint, error, mono, type, ...rest }: FieldProps) {
  const t = useText();
  const id = useId();
  const [shown, setShown] = useState(false);
  const input = (
    <input
      id={id}
      className={mono ? "input input-mono" : "input"}
      type={shown ? "text" : type}
      aria-invalid={error ? true : undefined}
      aria-describedby={error ? `${id}-error` : hint ? `${id}-hint` : undefined}
      autoCapitalize={type === "password" ? "none" : undefined}
      spellCheck={type === "password" || mono ? false : undefined}
      {...rest}
    />
  );
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      {type === "password" ? (
        <span className="input-with">
          {input}
          <IconButton small label={t(shown ? "field.hide" : "field.show")} aria-pressed={shown} onClick={() => setShown(!shown)}>
            {shown ? <EyeOff size={16} /> : <Eye size={16} />}
          </IconButton>
        </span>
      ) : input}
      {hint && !error && <div className="field-hint" id={`${id}-hint`}>{hint}</div>}
      {error && <div className="field-error" id={`${id}-error`} role="alert">{error}</div>}
    </div>
  );
}

export function SearchField({ label, ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: string; ref?: Ref<HTMLInputElement> }) {
  return (
    <label className="search">
      <SearchIcon size={16} aria-hidden="true" />
      <input type="search" aria-label={label} placeholder={label} autoComplete="off" spellCheck={false} {...rest} />
    </label>
  );
}

export function Setting({ name, hint, id, children }: { name: string; hint?: ReactNode; id?: string; children: ReactNode }) {
  return (
    <div className="setting">
      <div className="setting-text">
        <span className="setting-name" id={id}>{name}</span>
        {hint && <span className="setting-hint" id={id && `${id}-hint`}>{hint}</span>}
      </div>
      {children}
    </div>
  );
}

export function Switch({ name, hint, on, change }: { name: string; hint?: ReactNode; on: boolean; change: (on: boolean) => void }) {
  const id = useId();
  return (
    <Setting name={name} hint={hint} id={id}>
      <BaseSwitch.Root className="switch" checked={on} onCheckedChange={change} aria-labelledby={id} aria-describedby={hint ? `${id}-hint` : undefined}>
        <BaseSwitch.Thumb className="switch-thumb" />
      </BaseSwitch.Root>
    </Setting>
  );
}

/** One of a few, all in sight. */
export function Choices<T extends string>({ label, value, options, change }: { label: string; value: T; options: [T, string][]; change: (value: T) => void }) {
  return (
    <RadioGroup className="choices" aria-label={label} value={value} onValueChange={(v) => change(v)}>
      {options.map(([v, name]) => (
        <Radio.Root key={v} value={v} className="choice" aria-label={name}>{name}</Radio.Root>
      ))}
    </RadioGroup>
  );
}

interface DialogProps {
  open: boolean;
  close: () => void;
  title: string;
  text?: ReactNode;
  wide?: boolean;
  children?: ReactNode;
}

/** Where the focus begins in a dialog: with what it is for, not with the way out. */
function firstIn(popup: HTMLElement | null): HTMLElement | true {
  return popup?.querySelector<HTMLElement>("input, select, textarea, .button-main, .button-bad") ?? true;
}

export function Dialog({ open, close, title, text, wide, children }: DialogProps) {
  const t = useText();
  const popup = useRef<HTMLDivElement>(null);
  return (
    <BaseDialog.Root open={open} onOpenChange={(now) => !now && close()}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop forceRender className="veil" />
        <BaseDialog.Popup ref={popup} initialFocus={() => firstIn(popup.current)} className={wide ? "dialog dialog-wide" : "dialog"}>
          <div className="dialog-head">
            <BaseDialog.Title className="dialog-title">{title}</BaseDialog.Title>
            <BaseDialog.Close render={<button type="button" className="icon-button" aria-label={t("close")}><X size={18} /></button>} />
          </div>
          {text && <BaseDialog.Description className="dialog-text">{text}</BaseDialog.Description>}
          {children}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  close: () => void;
  title: string;
  text: ReactNode;
  yes: string;
  bad?: boolean;
  /** False while something that is asked for is still missing. */
  ready?: boolean;
  act: () => void;
  children?: ReactNode;
}

/** A question before something that can't be taken back. */
export function Confirm({ open, close, title, text, yes, bad, ready = true, act, children }: ConfirmProps) {
  const t = useText();
  return (
    <AlertDialog.Root open={open} onOpenChange={(now) => !now && close()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop forceRender className="veil" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          <AlertDialog.Description className="dialog-text">{text}</AlertDialog.Description>
          {children}
          <div className="dialog-foot">
            <AlertDialog.Close render={<Button kind="quiet">{t("cancel")}</Button>} />
            <Button kind={bad ? "bad" : "main"} disabled={!ready} onClick={() => { close(); act(); }}>{yes}</Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

/** Letters on a colour that is the same wherever this person or room is shown. */
export function Avatar({ id, name, room, size }: { id: string; name: string; room?: boolean; size?: string }) {
  const style = { "--hue": hue(id), ...(size ? { "--size": size } : {}) } as React.CSSProperties;
  return <span className={room ? "avatar avatar-room" : "avatar"} style={style} aria-hidden="true">{initials(name)}</span>;
}

function hue(id: string): number {
  let n = 7;
  for (const c of id) n = (n * 31 + c.charCodeAt(0)) % 9973;
  // Twelve places on the circle, none of them ember's.
  return 100 + (n % 12) * 24;
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((w) => /[\p{L}\p{N}]/u.test(w));
  const first = (w: string | undefined) => /[\p{L}\p{N}]/u.exec(w ?? "")?.[0] ?? "";
  return (first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase() || "#";
}

/** How well a person is known to be who they seem. */
export function TrustMark({ trust, quiet }: { trust: Trust; quiet?: boolean }) {
  const t = useText();
  if (trust === "verified") {
    return <span className="mark mark-verified" title={quiet ? t("trust.verified") : undefined}><ShieldCheck size={15} aria-hidden="true" /><span className={quiet ? "unseen" : undefined}>{t("trust.verified")}</span></span>;
  }
  if (trust === "changed") {
    return <span className="mark mark-changed" title={quiet ? t("trust.changed") : undefined}><ShieldAlert size={15} aria-hidden="true" /><span className={quiet ? "unseen" : undefined}>{t("trust.changed")}</span></span>;
  }
  return quiet ? null : <span className="mark mark-unverified">{t("trust.unverified")}</span>;
}

export function Callout({ kind, children }: { kind?: "ember" | "bad"; children: ReactNode }) {
  return (
    <div className={kind ? `callout callout-${kind}` : "callout"}>
      <TriangleAlert size={16} aria-hidden="true" />
      <div>{children}</div>
    </div>
  );
}

export function Empty({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <Brand size={44} />
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </div>
  );
}

/** A flame above a small wall: the sconce. */
export function Brand({ size = 28 }: { size?: number }) {
  return (
    <svg className="mark-of-sconce" width={size} height={size} viewBox="8 4 48 54" aria-hidden="true">
      <path className="flame" d="M32 6c1.700 6.600 8.800 9.700 8.800 17.600a8.800 8.800 0 0 1-17.600 0c0-3.500 1.700-5.600 3.400-7.700.7 2.300 1.600 3.300 2.900 3.700C28.700 14.800 29.700 10 32 6z" />
      <path className="flame-heart" d="M32 20.500c.9 2.700 3.700 3.900 3.700 7.200a3.700 3.700 0 0 1-7.400 0c0-3.100 2.800-4.300 3.700-7.200z" />
      <path fill="currentColor" d="M15 36h7v4.500h6.500V36h7v4.500H42V36h7v10l-6 4.500V57H21v-6.500L15 46z" />
    </svg>
  );
}

/** What is left of a time, as a ring that empties; `left` from 1 to 0. */
export function Ring({ left, size = 12 }: { left: number; size?: number }) {
  const r = size / 2 - 1;
  const round = 2 * Math.PI * r;
  return (
    <svg className="ring" width={size} height={size} aria-hidden="true">
      <circle className="ring-track" cx={size / 2} cy={size / 2} r={r} strokeWidth={2} />
      <circle className="ring-left" cx={size / 2} cy={size / 2} r={r} strokeWidth={2} strokeDasharray={round} strokeDashoffset={round * (1 - Math.min(1, Math.max(0, left)))} />
    </svg>
  );
}

export function Key({ keys }: { keys: string }) {
  return <span>{keys.split(" ").map((k, i) => <kbd className="key" key={i}>{k}</kbd>)}</span>;
}
