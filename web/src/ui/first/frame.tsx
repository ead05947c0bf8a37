import { ArrowLeft } from "lucide-react";
import { useEffect, useRef, type ReactNode } from "react";
import { useText } from "../../i18n";
import { Brand, IconButton } from "../kit";
import "./first.css";

interface FrameProps {
  title: string;
  text?: ReactNode;
  step?: string;
  back?: () => void;
  /** While what is kept here is locked away, the flame is out. */
  dark?: boolean;
  children: ReactNode;
}

/** What every screen outside of the desk stands in: a lit wall where there is room for one, and the task beside it. */
export function Frame({ title, text, step, back, dark, children }: FrameProps) {
  const t = useText();
  const head = useRef<HTMLHeadingElement>(null);
  // A step that takes another's place takes the focus too, unless one of its fields has.
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement === null) head.current?.focus();
  }, [title]);
  return (
    <div className={dark ? "first first-dark" : "first"}>
      <div className="first-wall" aria-hidden="true">
        <div className="first-glow" />
        <div className="first-wall-mark"><Brand size={168} /></div>
        <div className="first-wall-text">
          <strong>{t("brand.line")}<br />{t("brand.walls")}</strong>
          <span>{t("brand.more")}</span>
        </div>
      </div>
      <main className="first-side">
        <div className="first-form">
          <div className="first-brand-small"><Brand size={30} />Sconce</div>
          {(step || back) && (
            <div className="first-step">
              {back && <IconButton small label={t("back")} onClick={back}><ArrowLeft size={17} className="flip" /></IconButton>}
              {step}
            </div>
          )}
          <div className="first-head">
            <h1 ref={head} tabIndex={-1}>{title}</h1>
            {text && <p>{text}</p>}
          </div>
          {children}
        </div>
      </main>
    </div>
  );
}
