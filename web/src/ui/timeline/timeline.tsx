import { ArrowDown } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { RoomView } from "../../core/bridge";
import type { Timeline as Stretch } from "../../core/next";
import { rows as cut, type Row } from "../../core/rows";
import { useText } from "../../i18n";
import { day } from "../../i18n/format";
import { useApp, useSession, useSteady } from "../context";
import { Message, shapes, type Acts, type Shape } from "../message/message";
import { noticeText } from "../message/notice";
import "./timeline.css";

/** So near to the bottom, in pixels, counts as being there. */
const near = 48;
/** So much of what was read before stays in sight above the line where the unread begins. */
const above = 72;
/** So near to the end of what is loaded, more is asked for. */
const ahead = 900;
/** So long, in milliseconds, a scroll may still be our own. */
const settling = 300;
/** So long, in milliseconds, a message's place burns; message.css knows it too. */
const burning = 1_080;

export function Timeline({ room, stretch, acts }: { room: RoomView; stretch: Stretch; acts: Acts }) {
  const t = useText();
  const session = useSession();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const rows = useMemo(() => cut(stretch), [stretch]);
  const [bottom, setBottom] = useState(true);
  const stuck = useRef(true);
  const [current, setCurrent] = useState<string>();
  const [flash, setFlash] = useState<string>();

  // Older messages were put in front when the last row is the same and the first is not.
  const before = useRef<{ first?: string; last?: string; count: number }>({ count: 0 });
  const first = stretch.items[0]?.key;
  const last = stretch.items.at(-1)?.key;
  const prepended = before.current.count > 0 && first !== before.current.first && last === before.current.last;
  useLayoutEffect(() => {
    before.current = { first, last, count: rows.length };
  });

  /** Marks as read what is in sight, while somebody is there to see it. */
  const seen = useSteady(() => {
    const v = list.current;
    if (!v || document.hidden || !document.hasFocus() || rows.length === 0) return;
    const end = v.scrollOffset + v.viewportSize;
    const from = Math.min(rows.length - 1, v.findItemIndex(Math.max(0, end - 8)));
    for (let i = from; i >= 0; i--) {
      const row = rows[i];
      if ((row?.kind === "message" || row?.kind === "notice") && row.message.seq) {
        // What is in sight at the bottom is all there is.
        session.view(room.room, i === from && stuck.current && stretch.newest ? Math.max(row.message.seq, room.last) : row.message.seq);
        return;
      }
    }
  });

  // Rows are measured only once they are drawn, so a place must be kept, not only gone to: the bottom
  // while it is stuck to, and where the unread begins until a hand moves the timeline.
  const opening = useRef<"wait" | "unread" | "done">("wait");
  const settled = useRef(0);
  const settle = useSteady(() => {
    const v = list.current;
    if (!v || rows.length === 0) return;
    settled.current = performance.now();
    const at = opening.current === "unread" ? rows.findIndex((r) => r.kind === "unread") : -1;
    if (at >= 0 && !stuck.current) v.scrollToIndex(at, { align: "start", offset: -above });
    else if (stuck.current && stretch.newest) v.scrollToIndex(rows.length, { align: "end" });
  });
  // When all that is unread is in sight, the bottom is too, and is stuck to from then on: an answer being written must not cover it.
  const opened = useRef<ReturnType<typeof setTimeout>>(undefined);
  const measured = useSteady(() => {
    const v = list.current;
    const at = rows.findIndex((r) => r.kind === "unread");
    clearTimeout(opened.current);
    if (!v || at < 0 || opening.current !== "unread") return;
    stuck.current = stretch.newest && v.getItemOffset(at) - above >= v.scrollSize - v.viewportSize;
    if (stuck.current) opened.current = setTimeout(() => (opening.current = "done"), settling);
  });
  useLayoutEffect(() => {
    if (rows.length === 0) return;
    if (opening.current === "wait") {
      const unread = !stretch.focus && rows.some((r) => r.kind === "unread");
      opening.current = unread ? "unread" : "done";
      stuck.current = !unread && !stretch.focus;
    }
    settle();
    requestAnimationFrame(seen);
  }, [rows, stretch.newest, seen, settle]);

  const turn = stretch.focus?.turn;
  useEffect(() => {
    const key = stretch.focus?.key;
    const at = rows.findIndex((r) => r.kind === "message" && r.key === key);
    if (key === undefined || at < 0) return undefined;
    opening.current = "done";
    stuck.current = false;
    list.current?.scrollToIndex(at, { align: "center" });
    setCurrent(key);
    setFlash(key);
    const timer = setTimeout(() => setFlash(undefined), 1_700);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus());
    return () => clearTimeout(timer);
  }, [turn]);

  useEffect(() => {
    const look = () => seen();
    addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    const resized = new ResizeObserver((changes) => {
      if (changes.some((c) => c.target !== scroller.current)) measured();
      settle();
      // What is in sight is known only now: a room that fits its pane is never scrolled.
      requestAnimationFrame(seen);
    });
    // The page and what is in it both change their size: rows are measured only once they are drawn.
    if (scroller.current) resized.observe(scroller.current);
    if (scroller.current?.lastElementChild) resized.observe(scroller.current.lastElementChild);
    return () => {
      removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
      resized.disconnect();
    };
  }, [seen, settle, measured]);
  useEffect(() => () => clearTimeout(opened.current), []);

  const size = useRef(0);
  const hand = () => {
    opening.current = "done";
    size.current = list.current ? list.current.scrollSize + list.current.viewportSize : 0;
  };
  const scrolled = useSteady(() => {
    const v = list.current;
    if (!v) return;
    const below = v.scrollSize - v.scrollOffset - v.viewportSize;
    const at = below < near;
    // Only a hand leaves the bottom: what grows beside it does not.
    const grew = size.current !== v.scrollSize + v.viewportSize;
    size.current = v.scrollSize + v.viewportSize;
    if (!grew && performance.now() - settled.current > settling) opening.current = "done";
    if (at) {
      if (opening.current !== "unread") stuck.current = true;
    } else if (!grew) stuck.current = false;
    setBottom((at || stuck.current) && stretch.newest);
    if (v.scrollOffset < ahead) session.older(room.room);
    if (below < ahead && !stretch.newest) session.newer(room.room);
    seen();
  });

  const jump = useSteady(async () => {
    if (!stretch.newest) await session.newest(room.room);
    opening.current = "done";
    stuck.current = true;
    list.current?.scrollToIndex(rows.length, { align: "end", smooth: stretch.newest && document.documentElement.dataset["motion"] !== "less" });
  });
  useEffect(() => {
    const asked = () => void jump();
    addEventListener("sconce-newest", asked);
    return () => removeEventListener("sconce-newest", asked);
  }, [jump]);

  // The one message that Tab reaches; arrows go from there.
  const keys = rows.flatMap((r) => (r.kind === "message" ? [r.key] : []));
  const tab = current && keys.includes(current) ? current : keys.at(-1);
  const move = (e: KeyboardEvent<HTMLElement>) => {
    const on = e.target instanceof HTMLElement && e.target.dataset["key"];
    if (!on || e.altKey || e.ctrlKey || e.metaKey) return;
    const at = keys.indexOf(on);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: keys.length - 1 }[e.key];
    const key = to === undefined ? undefined : keys[to];
    if (!key) return;
    e.preventDefault();
    setCurrent(key);
    const go = () => scroller.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    if (!go()) list.current?.scrollToIndex(rows.findIndex((r) => r.key === key), { align: "nearest" });
    requestAnimationFrame(() => {
      go()?.focus();
      go()?.scrollIntoView({ block: "nearest" });
    });
  };

  return (
    <div className="timeline">
      <div ref={scroller} className="timeline-scroll" role="log" aria-live="off" aria-label={t("timeline.label")} onKeyDown={(e) => { hand(); move(e); }} onWheel={hand} onTouchMove={hand} onPointerDown={hand} tabIndex={-1}>
        <div className="timeline-space" />
        <Virtualizer ref={list} scrollRef={scroller} shift={prepended} onScroll={scrolled} bufferSize={600}>
          {rows.map((row) => (
            <RowView key={row.key} row={row} room={room} tab={row.key === tab} flash={row.key === flash} acts={acts} />
          ))}
          <div key="end" className="timeline-end" />
        </Virtualizer>
      </div>
      {!bottom && (
        <button type="button" className="jump" onClick={() => void jump()} aria-label={t("timeline.jump", { n: room.unread ?? 0 })}>
          {room.unread ? <span className="figures">{t("timeline.new", { n: room.unread })}</span> : null}
          <ArrowDown size={17} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}

function RowView({ row, room, tab, flash, acts }: { row: Row; room: RoomView; tab: boolean; flash: boolean; acts: Acts }) {
  const t = useText();
  switch (row.kind) {
    case "start":
      return <p className="timeline-start">{t("timeline.start")}</p>;
    case "day":
      return <div className="day" role="separator"><span>{day(row.time)}</span></div>;
    case "unread":
      return <div className="new" role="separator"><span>{t("timeline.divider")}</span></div>;
    case "notice":
      return <Notice row={row} />;
    case "ash":
      return <Ash row={row} room={room.room} />;
    case "message":
      return <Message message={row.message} first={row.first} last={row.last} group={room.kind !== "direct"} flash={flash} tab={tab} acts={acts} />;
  }
}

function Notice({ row }: { row: Extract<Row, { kind: "notice" }> }) {
  const t = useText();
  const people = useApp((s) => s.people);
  const rooms = useApp((s) => s.rooms);
  const me = useApp((s) => s.me);
  const loud = row.message.notice?.what === "key-change";
  return <p className={loud ? "notice notice-loud" : "notice"}>{noticeText(row.message, { people, rooms, me }, t)}</p>;
}

/** Where a message has just burned. */
function Ash({ row, room }: { row: Extract<Row, { kind: "ash" }>; room: string }) {
  const session = useSession();
  const key = row.key.replace(/^ash-/, "");
  const [shape, setShape] = useState<Shape>({ row: 40, height: 38, top: 1, width: 200, start: 16 });
  // The message leaves its shape when it goes, which is after this was first drawn and before it is seen.
  useLayoutEffect(() => {
    const was = shapes.get(key);
    if (was) setShape(was);
    shapes.delete(key);
  }, [key]);
  useEffect(() => {
    const timer = setTimeout(() => session.dispatch({ type: "swept", room, key }), burning);
    return () => clearTimeout(timer);
  }, [session, room, key]);
  return (
    <div className={row.mine ? "ash-row ash-row-mine" : "ash-row"} style={{ height: shape.row }} aria-hidden="true">
      <div className="ash" style={{ height: shape.height, width: shape.width, marginBlockStart: shape.top, marginInlineStart: shape.start }} />
    </div>
  );
}

/** The shape of messages that are still being read from the disk. */
export function Skeleton() {
  return (
    <div className="skeleton" aria-hidden="true">
      {[46, 30, 62, 24, 52, 38].map((w, i) => <div key={w} className={i % 3 === 2 ? "skeleton-mine" : undefined} style={{ width: `${w}%` }} />)}
    </div>
  );
}
