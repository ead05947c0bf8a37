import { CSPProvider } from "@base-ui/react/csp-provider";
import { DirectionProvider } from "@base-ui/react/direction-provider";
import { Tooltip } from "@base-ui/react/tooltip";
import { CircleAlert, Info, X } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { createPortal } from "react-dom";
import { keepLook, readLook, wear, type Look } from "../core/look";
import { unreadTotal } from "../core/rows";
import type { Session } from "../core/store";
import { speak, Speech, useText } from "../i18n";
import { LookContext, SessionContext, useApp, useSession } from "./context";
import { Removed, Trouble, Unfinished, Unlock } from "./first/unlock";
import { Welcome } from "./first/welcome";
import { Brand, IconButton } from "./kit";
import { plain, tame, tameName } from "./message/text";

const loadDesk = () => import("./desk/desk");
const Desk = lazy(() => loadDesk().then((m) => ({ default: m.Desk })));

/** The whole page. */
export function App({ session }: { session: Session }) {
  const [look, setLook] = useState(readLook);
  useEffect(() => {
    wear(look);
    const again = () => wear(look);
    const watched = [matchMedia("(prefers-contrast: more)"), matchMedia("(prefers-reduced-motion: reduce)")];
    for (const w of watched) w.addEventListener("change", again);
    return () => {
      for (const w of watched) w.removeEventListener("change", again);
    };
  }, [look]);
  const wearing = useMemo(() => ({
    look,
    change: (change: Partial<Look>) => {
      const now = { ...look, ...change };
      setLook(now);
      keepLook(now);
      if (change.language) void speak(change.language);
    },
  }), [look]);
  return (
    <CSPProvider disableStyleElements>
      <DirectionProvider direction={document.documentElement.dir === "rtl" ? "rtl" : "ltr"}>
        <Speech>
          <LookContext value={wearing}>
            <SessionContext value={session}>
              <Tooltip.Provider>
                <Screen />
                <Toasts />
                <Announced />
              </Tooltip.Provider>
            </SessionContext>
          </LookContext>
        </Speech>
      </DirectionProvider>
    </CSPProvider>
  );
}

function Screen() {
  const host = useApp((s) => s.host?.state);
  const trouble = useApp((s) => s.trouble);
  const removed = useApp((s) => s.me?.removed === true);
  const unread = useApp(unreadTotal);
  // While the recovery key is on the screen, nothing else takes its place.
  const [held, hold] = useState(false);
  useEffect(() => {
    document.title = unread > 0 && host === "open" ? `(${unread}) Sconce` : "Sconce";
  }, [unread, host]);
  // The desk is read while the person signs up or unlocks, and what one writes with after it. Not earlier: until the core is there, it needs the machine.
  const there = host !== undefined;
  useEffect(() => {
    if (there) void loadDesk().then((desk) => desk.warmComposer());
  }, [there]);
  if (trouble !== undefined) return <Trouble text={trouble} />;
  if (host === "new" || held) return <Welcome hold={hold} />;
  if (host === "unfinished") return <Unfinished hold={hold} />;
  if (host === "locked") return <Unlock />;
  if (host === "open") return removed ? <Removed /> : <Suspense fallback={<Splash late />}><Desk /></Suspense>;
  return <Splash />;
}

/** The page's own splash, as it stands in index.html; a late one leaves time for what is nearly there. */
function Splash({ late }: { late?: boolean }) {
  const t = useText();
  return <div className={late ? "splash splash-late" : "splash"} role="status"><Brand size={52} /><span className="unseen">{t("loading")}</span></div>;
}

/** A message that came onto the screen, for those who hear the page. */
function Announced() {
  const t = useText();
  const m = useApp((s) => s.announced);
  return <div className="unseen" aria-live="polite">{m && t("announce", { name: tameName(m.name), text: plain(m.text ?? "", 200) })}</div>;
}

const shownFor = 6_000;

/** What is told in passing: beside the page and not in it, so that no dialog lies over it. */
function Toasts() {
  const toasts = useApp((s) => s.toasts);
  return createPortal(
    <div className="toasts" role="region" aria-live="polite" aria-label="Sconce">{toasts.map((x) => <ToastView key={x.id} id={x.id} kind={x.kind} text={x.text} />)}</div>,
    document.body,
  );
}

function ToastView({ id, kind, text }: { id: number; kind: "info" | "problem"; text: string }) {
  const t = useText();
  const session = useSession();
  useEffect(() => {
    const timer = setTimeout(() => session.dispatch({ type: "untoast", id }), kind === "problem" ? shownFor * 2 : shownFor);
    return () => clearTimeout(timer);
  }, [session, id, kind]);
  return (
    <div className="toast">
      {kind === "problem" ? <CircleAlert size={17} aria-hidden="true" /> : <Info size={17} aria-hidden="true" />}
      <p>{tame(text)}</p>
      <IconButton small label={t("close")} onClick={() => session.dispatch({ type: "untoast", id })}><X size={15} /></IconButton>
    </div>
  );
}
