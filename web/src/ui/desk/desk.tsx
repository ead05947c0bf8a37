import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { roomList } from "../../core/rows";
import { useText } from "../../i18n";
import { DeskContext, useApp, useLook, useNarrow, useSession, useSteady, type Desk as DeskActs } from "../context";
import { Button, Empty } from "../kit";
import { LandmarkContext } from "../kit/menu";
import { inText, keyNames, pressed } from "../keys";
import { Details } from "../details/details";
import { List } from "../list/list";
import { forgetTexts } from "../message/tree";
import { NewConversation } from "../people/choose";
import { PersonDialog } from "../people/safety";
import { Room, warmComposer } from "../room/room";
import { Search } from "../search/search";
import { Shortcuts } from "../shortcuts/shortcuts";
import { Switcher } from "../switcher/switcher";
import { FollowLink } from "./follow";
import { Separator } from "./separator";
import "./desk.css";

export { warmComposer };

const Settings = lazy(() => import("../settings/settings"));

type Over =
  | { what: "switcher" | "shortcuts" | "new" }
  | { what: "settings" | "devices" }
  | { what: "person"; user: string; compare: boolean }
  | { what: "link"; url: string; text: string };

/** Whoever searches here and presses the key again wants the browser's own search. */
function inSearch(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(".find") !== null;
}

/** The desk: conversations, the open one, and what is known about it, side by side or one at a time. */
export function Desk() {
  const t = useText();
  const session = useSession();
  const { look, change } = useLook();
  const narrow = useNarrow();
  const fold = useSteady((folded: boolean) => {
    change({ folded });
    // What had the focus may be gone with the list.
    if (folded) requestAnimationFrame(() => (document.activeElement === document.body || !document.activeElement?.checkVisibility()) && dispatchEvent(new Event("sconce-write")));
  });
  const tight = useNarrow(68);
  const room = useApp((s) => (s.selected ? s.rooms[s.selected] : undefined));
  const loaded = useApp((s) => s.loaded);
  const any = useApp((s) => Object.keys(s.rooms).length > 0);
  const [over, setOver] = useState<Over>();
  const [detailsOpen, setDetails] = useState(false);
  const [search, setSearch] = useState<{ room?: string; turn: number }>();
  const frame = useRef<HTMLDivElement>(null);
  const main = useRef<HTMLElement>(null);
  const close = useCallback(() => setOver(undefined), []);

  const desk = useMemo<DeskActs>(() => ({
    open: (what, about) => {
      if (what === "search") {
        setDetails(false);
        setSearch((s) => ({ room: about, turn: (s?.turn ?? 0) + 1 }));
      } else setOver({ what });
    },
    details: (open) => {
      setDetails(open);
      if (open) setSearch(undefined);
    },
    fold,
    detailsOpen,
    back: () => session.select(undefined),
    follow: (url, text) => setOver({ what: "link", url, text }),
    person: (user, compare = false) => setOver({ what: "person", user, compare }),
  }), [detailsOpen, fold, session]);

  useEffect(() => {
    const idle = setTimeout(warmComposer, 300);
    if (document.activeElement === document.body) frame.current?.querySelector<HTMLElement>(".list")?.focus({ focusVisible: false });
    return () => {
      clearTimeout(idle);
      // What was read stays in no memory of the page once it is locked.
      forgetTexts();
    };
  }, []);
  useEffect(() => session.watch(forgetTexts), [session]);
  useEffect(() => setSearch((s) => (s?.room && s.room !== room?.room ? undefined : s)), [room?.room]);

  const newest = () => dispatchEvent(new Event("sconce-newest"));
  const onKey = useSteady((e: KeyboardEvent) => {
    if (e.defaultPrevented) return;
    const does = (keys: string, act: () => void) => {
      if (!pressed(e, keys)) return false;
      e.preventDefault();
      act();
      return true;
    };
    const plain = !inText(e.target) && !over;
    void (
      does("Mod+K", () => setOver({ what: "switcher" })) || does("Mod+/", () => setOver({ what: "shortcuts" })) || does("Mod+,", () => setOver({ what: "settings" })) ||
      (!over && (
        does("Alt+Up", () => session.step(-1, false)) || does("Alt+Down", () => session.step(1, false)) ||
        does("Alt+Shift+Up", () => session.step(-1, true)) || does("Alt+Shift+Down", () => session.step(1, true)) ||
        does("Mod+Shift+D", () => fold(!look.folded)) || does("Mod+.", () => room && desk.details(!detailsOpen)) ||
        does("Mod+J", newest) || (!inSearch(e.target) && does("Mod+F", () => desk.open("search"))) || does("Mod+Shift+F", () => desk.open("search", room?.room)) ||
        does("F6", () => landmark(1)) || does("Shift+F6", () => landmark(-1)) || does("Mod+F6", () => landmark(1)) ||
        nth(e)
      )) ||
      (plain && (does("?", () => setOver({ what: "shortcuts" })) || does("c", () => setOver({ what: "new" })))) ||
      (!over && e.key === "Escape" && escape())
    );
  });
  const nth = (e: KeyboardEvent) => {
    const at = e.altKey && !e.ctrlKey && !e.metaKey && !e.shiftKey ? /^Digit([1-9])$/.exec(e.code) : null;
    const asked = at && roomList(session.state)[Number(at[1]) - 1];
    if (!asked) return false;
    e.preventDefault();
    session.select(asked.room);
    return true;
  };
  const escape = () => {
    if (search) setSearch(undefined);
    else if (room) {
      newest();
      session.view(room.room, room.last);
      dispatchEvent(new Event("sconce-write"));
    }
  };
  const landmark = (by: 1 | -1) => {
    const all = [...(frame.current?.querySelectorAll<HTMLElement>("[data-landmark], .timeline-scroll, .composer .editor") ?? [])].filter((x) => x.offsetParent);
    const at = all.findLastIndex((x) => x.contains(document.activeElement));
    all[(at + by + all.length) % all.length]?.focus();
  };
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [onKey]);

  // On a phone, "back" leaves the room for the list.
  const open = narrow && room !== undefined;
  useEffect(() => {
    if (!open) return undefined;
    history.pushState({ room: true }, "");
    const back = () => session.select(undefined);
    addEventListener("popstate", back);
    return () => {
      removeEventListener("popstate", back);
      if ((history.state as { room?: boolean } | null)?.room) history.back();
    };
  }, [open, session]);

  const found = (r: string, id: string) => {
    // A find in another room leaves the one that was searched, so the search goes on everywhere; where it would cover the find, it ends.
    setSearch((s) => (tight || !s ? undefined : { turn: s.turn, ...(s.room === r ? { room: r } : {}) }));
    void session.show(r, id);
  };
  const edge = tight ? undefined : <Separator label={t("desk.details")} value={look.details} min={17} max={34} change={(details) => change({ details })} fold={() => { setDetails(false); setSearch(undefined); }} end />;
  const side = room && detailsOpen ? <Details room={room} edge={edge} /> : search ? (
    <Search {...search} edge={edge} close={() => setSearch(undefined)} show={found} />
  ) : undefined;
  const sizes = { "--list": `${look.list}rem`, "--details": `${look.details}rem` } as React.CSSProperties;
  return (
    <DeskContext value={desk}>
      <div ref={frame} className="desk" style={sizes} data-room={room ? "" : undefined} data-folded={look.folded && !narrow && room ? "" : undefined} data-side={side ? "" : undefined}>
        <div className="desk-list"><List edge={!narrow && <Separator label={t("desk.list")} value={look.list} min={15} max={30} change={(list) => change({ list })} fold={() => room && fold(true)} />} /></div>
        <main ref={main} className="desk-room" data-landmark={room ? undefined : ""} tabIndex={-1}>
          {room ? <LandmarkContext value={main}><Room key={room.room} room={room} /></LandmarkContext> : loaded && (
            <Empty title={t(any ? "desk.pick" : "desk.first")} text={t(any ? "desk.pick.text" : "desk.first.text", { keys: keyNames("Mod+K") })}>
              <Button kind={any ? "plain" : "main"} onClick={() => setOver({ what: "new" })}>{t("new.title")}</Button>
            </Empty>
          )}
        </main>
        {side && <div className="desk-side">{side}</div>}
      </div>
      {over?.what === "switcher" && <Switcher close={close} />}
      {over?.what === "shortcuts" && <Shortcuts close={close} />}
      {over?.what === "new" && <NewConversation close={close} />}
      {over?.what === "person" && <PersonDialog key={over.user} user={over.user} compare={over.compare} close={close} />}
      {over?.what === "link" && <FollowLink url={over.url} text={over.text} close={close} />}
      {(over?.what === "settings" || over?.what === "devices") && <Suspense><Settings page={over.what === "devices" ? "devices" : "profile"} close={close} /></Suspense>}
    </DeskContext>
  );
}
