import { ContextMenu } from "@base-ui/react/context-menu";
import { Menu } from "@base-ui/react/menu";
import { Popover } from "@base-ui/react/popover";
import {
  Check, CheckCheck, CircleAlert, CircleQuestionMark, Clock3, Copy, CornerUpLeft, Ellipsis, History, Info, Pencil, RotateCcw, SmilePlus, Trash2, X,
} from "lucide-react";
import { lazy, memo, Suspense, useLayoutEffect, useRef, useState, type CSSProperties, type FocusEvent, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import type { MentionView, MessageView } from "../../core/bridge";
import { editable, givenUp } from "../../core/rows";
import { useText } from "../../i18n";
import { clock, dateTime, names } from "../../i18n/format";
import { useApp, useSession } from "../context";
import { Avatar, Confirm, Dialog, IconButton, Tip, TrustMark } from "../kit";
import { MenuPlace } from "../kit/menu";
import { Countdown, lastSeconds, useLastSeconds } from "./burn";
import { Markdown } from "./markdown";
import { plain, tame, tameName } from "./text";
import "./message.css";

const EmojiPicker = lazy(() => import("../emoji/picker"));
const none: readonly MentionView[] = [];
/** Kinds of reaction that are shown of one message. */
const mostReactions = 24;
const quick = ["👍", "❤️", "😂", "🎉", "👀", "🙏"];

/** Where a message's bubble stood in its row, in pixels. */
export interface Shape {
  row: number;
  height: number;
  top: number;
  width: number;
  start: number;
}

/** The shape that each message had when it was last on the screen: its ash begins with the same. */
export const shapes = new Map<string, Shape>();

export interface Acts {
  reply: (m: MessageView) => void;
  edit: (m: MessageView) => void;
}

interface MessageProps {
  message: MessageView;
  first: boolean;
  last: boolean;
  group: boolean;
  flash: boolean;
  tab: boolean;
  acts: Acts;
}

export const Message = memo(function Message({ message: m, first, last, group, flash, tab, acts }: MessageProps) {
  const t = useText();
  const session = useSession();
  const ref = useRef<HTMLElement>(null);
  const ending = useLastSeconds(m);
  const left = useApp((s) => Boolean(s.rooms[m.room]?.left));
  const open = Boolean(m.id) && !m.deleted && !left && !givenUp(m); // for an answer or a reaction
  const [asking, setAsking] = useState<"delete" | "history" | "details">();
  const [picking, setPicking] = useState(false);
  const [near, setNear] = useState(false);
  // A long press has opened the menu: lifting the finger is no tap on what came to lie under it.
  const held = useRef(false);
  useLayoutEffect(() => {
    const element = ref.current;
    return () => {
      const bubble = element?.querySelector<HTMLElement>(".bubble");
      if (!element || !bubble || !m.expires) return;
      const [row, at] = [element.getBoundingClientRect(), bubble.getBoundingClientRect()];
      const start = document.documentElement.dir === "rtl" ? row.right - at.right : at.left - row.left;
      shapes.set(m.id, { row: row.height, height: at.height, top: at.top - row.top, width: at.width, start });
    };
  }, [m.id, m.expires]);

  const what = actions(m, {
    ...acts,
    t,
    left,
    react: (e) => session.react(m, e),
    pick: () => setPicking(true),
    ask: setAsking,
    retry: () => void session.wish("retry", { room: m.room, message: m.id }),
    discard: () => void session.wish("discard", { room: m.room, message: m.id }),
  });
  const onKey = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return;
    const act = what.find((a) => a.key === e.key.toLowerCase());
    if (!act) return;
    e.preventDefault();
    act.go();
  };
  // The toolbar is there only where the pointer or the keyboard is: a timeline has many messages.
  const leave = (e: PointerEvent | FocusEvent) => {
    const to = e.relatedTarget;
    if (!(to instanceof Node && ref.current?.contains(to)) && !ref.current?.querySelector("[data-popup-open]")) setNear(false);
  };
  const names_ = ["message", m.mine ? "message-mine" : "message-theirs", first && "message-first", last && "message-last", flash && "message-flash", m.mentionsMe && "message-mentions", ending !== undefined && "message-ending", givenUp(m) && "message-failed"];
  const name = m.mine ? t("you") : tameName(m.name);
  return (
    <ContextMenu.Root disabled={what.length === 0} onOpenChange={(open) => { held.current = open; }}>
      <ContextMenu.Trigger render={<article ref={ref} className={names_.filter(Boolean).join(" ")} data-key={m.id} style={ending === undefined ? undefined : heat(ending)} tabIndex={tab ? 0 : -1} onKeyDown={onKey}
        onPointerEnter={(e) => e.pointerType === "mouse" && setNear(true)} onPointerLeave={leave} onFocus={() => setNear(true)} onBlur={leave} onTouchEnd={(e) => held.current && e.preventDefault()}
        aria-label={t("message.label", { name, time: clock(m.time), text: m.deleted ? t("message.deleted") : plain(m.text ?? "", 120) })} />}>
        {!m.mine && group && <div className="message-face">{last && <Avatar id={m.sender} name={m.name} size="2rem" />}</div>}
        <div className="message-body">
          {first && !m.mine && group && <Sender message={m} />}
          <div className="bubble">
            <Content message={m} />
            <Meta message={m} />
          </div>
          <Reactions message={m} />
          {givenUp(m) && <Failed message={m} left={left} />}
        </div>
        {what.length > 0 && (near || picking) && <Toolbar message={m} what={what} open={open} picking={picking} setPicking={setPicking} />}
      </ContextMenu.Trigger>
      <MenuPlace as={ContextMenu.Positioner}>
        <ContextMenu.Popup className="popup menu">
          {open && (
            <div className="quick" role="group" aria-label={t("react")}>
              {quick.map((e) => <ContextMenu.Item key={e} className="quick-emoji" onClick={() => session.react(m, e)} aria-label={t("react.with", { emoji: e })}>{e}</ContextMenu.Item>)}
            </div>
          )}
          {what.map((a) => <ContextMenu.Item key={a.name} className={a.bad ? "menu-item menu-item-bad" : "menu-item"} onClick={a.go}>{a.icon}{a.name}{a.key && <kbd className="menu-item-hint menu-key">{a.key}</kbd>}</ContextMenu.Item>)}
        </ContextMenu.Popup>
      </MenuPlace>
      {asking === "delete" && <Confirm open close={() => setAsking(undefined)} title={t("delete.title")} text={t("delete.text")} yes={t("delete")} bad
        act={() => void session.wish("delete", { room: m.room, message: m.id })} />}
      {asking === "history" && <Earlier message={m} close={() => setAsking(undefined)} />}
      {asking === "details" && <Details message={m} close={() => setAsking(undefined)} />}
    </ContextMenu.Root>
  );
});

/** How near the end is, for the glow around a message in its last seconds. */
function heat(seconds: number): CSSProperties {
  return { "--heat": (lastSeconds - seconds) / lastSeconds } as CSSProperties;
}

function Sender({ message: m }: { message: MessageView }) {
  const member = useApp((s) => s.rooms[m.room]?.members.find((x) => x.user === m.sender));
  const t = useText();
  return (
    <div className="sender">
      <bdi className="cut">{tameName(m.name)}</bdi>
      {member && <TrustMark trust={member.trust} quiet />}
      {!member && <span className="sender-note">{t("message.notHere")}</span>}
    </div>
  );
}

function Content({ message: m }: { message: MessageView }) {
  const t = useText();
  if (m.deleted) return <p className="text text-gone">{t("message.deleted")}</p>;
  if (m.kind === "unreadable") return <p className="text text-gone">{t("message.unreadable")}</p>;
  return (
    <>
      {m.quote && <Quote message={m} />}
      {m.kind === "unsupported" ? (
        <><p className="text text-gone">{t("message.unsupported")}</p>{m.text && <Markdown text={m.text} />}</>
      ) : <Markdown text={m.text ?? ""} mentions={m.mentions ?? none} everyone={m.mentionsAll ? m.room : undefined} />}
      {m.warnings?.map((w) => <p key={w} className="message-warning"><CircleAlert size={14} aria-hidden="true" />{tame(w)}</p>)}
    </>
  );
}

function Quote({ message: m }: { message: MessageView }) {
  const t = useText();
  const session = useSession();
  const q = m.quote;
  if (!q) return null;
  if (q.gone) return <div className="quote quote-gone">{t("quote.gone")}</div>;
  return (
    <button type="button" className="quote" onClick={() => void session.show(m.room, q.id)}>
      <span className="unseen">{t("quote.jump")}</span>
      <b><bdi>{tameName(q.name ?? "")}</bdi></b>
      <span className="quote-text" dir="auto">{plain(q.text ?? "", 140)}</span>
    </button>
  );
}

function Meta({ message: m }: { message: MessageView }) {
  const t = useText();
  return (
    <div className="meta">
      {m.edited && !m.deleted && <span>{t("message.edited")}</span>}
      {!m.deleted && <Countdown message={m} />}
      <time className="figures" dateTime={new Date(m.time).toISOString()} title={dateTime(m.time)}>{clock(m.time)}</time>
      {m.mine && <Delivery message={m} />}
    </div>
  );
}

function Delivery({ message: m }: { message: MessageView }) {
  const t = useText();
  const icons: Record<MessageView["state"], ReactNode> = {
    queued: <Clock3 size={13} />, sent: <Check size={14} />, received: <Check size={14} />, delivered: <CheckCheck size={14} />,
    read: <CheckCheck size={14} className="delivery-read" />, failed: <CircleAlert size={14} className="delivery-failed" />,
    unknown: <CircleQuestionMark size={14} className="delivery-failed" />,
  };
  const says = t(`delivery.${m.state}`);
  return <span className="delivery" role="img" aria-label={says} title={says}>{icons[m.state]}</span>;
}

function Reactions({ message: m }: { message: MessageView }) {
  const t = useText();
  const session = useSession();
  const me = useApp((s) => s.me?.user);
  const members = useApp((s) => s.rooms[m.room]?.members);
  if (!m.reactions?.length) return null;
  const who = (users: readonly string[]) => names(users.map((u) => (u === me ? t("you") : tameName(members?.find((x) => x.user === u)?.name ?? u.slice(0, 8)))), t, 8);
  return (
    <ul className="reactions">
      {m.reactions.slice(0, mostReactions).map((r) => (
        <li key={r.emoji}>
          <Tip text={who(r.by)}>
            <button type="button" className="reaction" aria-pressed={Boolean(r.mine)} onClick={() => session.react(m, r.emoji)}
              aria-label={t("reaction.label", { emoji: r.emoji, who: who(r.by), n: r.by.length })}>
              <span>{tame(r.emoji).slice(0, 16)}</span>{r.by.length > 1 && <span className="figures">{r.by.length}</span>}
            </button>
          </Tip>
        </li>
      ))}
    </ul>
  );
}

function Failed({ message: m, left }: { message: MessageView; left: boolean }) {
  const t = useText();
  const session = useSession();
  return (
    <div className="failed" role="status">
      <span>{t(`delivery.${m.state}`)}</span>
      {!left && <button type="button" onClick={() => void session.wish("retry", { room: m.room, message: m.id })}>{t("retry")}</button>}
      <button type="button" onClick={() => void session.wish("discard", { room: m.room, message: m.id })}>{t("discard")}</button>
    </div>
  );
}

interface Act {
  name: string;
  icon: ReactNode;
  key?: string;
  bad?: boolean;
  go: () => void;
}

interface Ways extends Acts {
  t: ReturnType<typeof useText>;
  /** Whether its room was left: nothing can be said there any more. */
  left: boolean;
  react: (emoji: string) => void;
  pick: () => void;
  ask: (what: "delete" | "history" | "details") => void;
  retry: () => void;
  discard: () => void;
}

/** What can be done with a message, the most usual first. */
function actions(m: MessageView, w: Ways): Act[] {
  if (!m.id || m.deleted) return [];
  const { t } = w;
  const out: Act[] = [];
  if (givenUp(m)) {
    if (!w.left) out.push({ name: t("retry"), icon: <RotateCcw size={16} />, go: w.retry });
    out.push({ name: t("discard"), icon: <X size={16} />, bad: true, go: w.discard });
  } else if (!w.left) {
    out.push({ name: t("reply"), key: "r", icon: <CornerUpLeft size={16} className="flip" />, go: () => w.reply(m) });
  }
  if (m.text) out.push({ name: t("copy"), key: "c", icon: <Copy size={16} />, go: () => void navigator.clipboard.writeText(m.text ?? "") });
  if (editable(m) && !w.left) out.push({ name: t("edit"), key: "e", icon: <Pencil size={16} />, go: () => w.edit(m) });
  if (m.edited) out.push({ name: t("message.history"), icon: <History size={16} />, go: () => w.ask("history") });
  out.push({ name: t("message.details"), key: "i", icon: <Info size={16} />, go: () => w.ask("details") });
  if (m.mine && !givenUp(m) && !w.left) out.push({ name: t("delete"), key: "delete", icon: <Trash2 size={16} />, bad: true, go: () => w.ask("delete") });
  return out;
}

function Toolbar({ message: m, what, open, picking, setPicking }: { message: MessageView; what: Act[]; open: boolean; picking: boolean; setPicking: (on: boolean) => void }) {
  const t = useText();
  const session = useSession();
  const reply = what.find((a) => a.key === "r");
  return (
    <div className="toolbar" data-open={picking || undefined}>
      {open && (
        <Popover.Root open={picking} onOpenChange={setPicking}>
          <Popover.Trigger render={<button type="button" className="icon-button icon-button-small" aria-label={t("react")}><SmilePlus size={16} /></button>} />
          <Popover.Portal>
            <Popover.Positioner className="positioner" sideOffset={6}>
              <Popover.Popup className="popup" aria-label={t("react")}>
                <Suspense fallback={<div className="picker" />}>
                  <EmojiPicker pick={(e) => { session.react(m, e); setPicking(false); }} />
                </Suspense>
              </Popover.Popup>
            </Popover.Positioner>
          </Popover.Portal>
        </Popover.Root>
      )}
      {reply && <IconButton small label={reply.name} keys="R" onClick={reply.go}>{reply.icon}</IconButton>}
      <Menu.Root>
        <Menu.Trigger render={<button type="button" className="icon-button icon-button-small" aria-label={t("more")}><Ellipsis size={16} /></button>} />
        <MenuPlace align="end" sideOffset={4}>
          <Menu.Popup className="popup menu">
            {what.map((a) => <Menu.Item key={a.name} className={a.bad ? "menu-item menu-item-bad" : "menu-item"} onClick={a.go}>{a.icon}{a.name}</Menu.Item>)}
          </Menu.Popup>
        </MenuPlace>
      </Menu.Root>
    </div>
  );
}

function Earlier({ message: m, close }: { message: MessageView; close: () => void }) {
  const t = useText();
  const session = useSession();
  const [list, setList] = useState<readonly { text: string; time: number }[]>();
  useLayoutEffect(() => {
    session.ask("history", { room: m.room, message: m.id }).then(setList, (e: unknown) => {
      session.tell(session.explain(e), "problem");
      close();
    });
  }, [session, m.room, m.id]);
  return (
    <Dialog open close={close} title={t("message.history")}>
      {list?.length === 0 && <p className="dialog-text">{t("message.history.none")}</p>}
      <ol className="earlier">
        {list?.map((r) => <li key={r.time}><time>{dateTime(r.time)}</time><div className="bubble"><Markdown text={r.text} /></div></li>)}
      </ol>
    </Dialog>
  );
}

function Details({ message: m, close }: { message: MessageView; close: () => void }) {
  const t = useText();
  const members = useApp((s) => s.rooms[m.room]?.members) ?? [];
  const list = (users: readonly string[]) => users.map((u) => {
    const name = members.find((x) => x.user === u)?.name ?? u.slice(0, 8);
    return <li key={u} className="person"><Avatar id={u} name={name} size="1.75rem" /><bdi className="cut">{tameName(name)}</bdi></li>;
  });
  const read = m.receipts?.read ?? [];
  const delivered = (m.receipts?.delivered ?? []).filter((u) => !read.includes(u));
  const reactions = m.deleted ? [] : (m.reactions ?? []).slice(0, mostReactions);
  return (
    <Dialog open close={close} title={t("message.details")}>
      <dl className="facts">
        <dt>{t("message.from")}</dt><dd><bdi>{tameName(m.name)}</bdi></dd>
        <dt>{t("message.time")}</dt><dd>{dateTime(m.time)}</dd>
        {m.mine && <><dt>{t("message.state")}</dt><dd>{t(`delivery.${m.state}`)}</dd></>}
        {m.expires ? <><dt>{t("message.goneAt")}</dt><dd>{dateTime(m.expires)}</dd></> : null}
      </dl>
      {read.length > 0 && <section><h3>{t("delivery.read")}</h3><ul className="receipts">{list(read)}</ul></section>}
      {delivered.length > 0 && <section><h3>{t("delivery.delivered")}</h3><ul className="receipts">{list(delivered)}</ul></section>}
      {reactions.map((r) => <section key={r.emoji}><h3>{t("message.reacted", { emoji: tame(r.emoji).slice(0, 16) })}</h3><ul className="receipts">{list(r.by)}</ul></section>)}
      {m.problem && <p className="dialog-text">{tame(m.problem)}</p>}
    </Dialog>
  );
}
