import { Menu } from "@base-ui/react/menu";
import { AtSign, BellOff, Clock3, Flame, Hourglass, Keyboard, Lock, MessageSquarePlus, Monitor, PanelLeftClose, Pin, Search, Settings as Gear, ShieldAlert, TriangleAlert } from "lucide-react";
import { memo, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import type { RoomView } from "../../core/bridge";
import { givenUp, other, roomList } from "../../core/rows";
import { useText } from "../../i18n";
import { brief, duration, names, wrongClock } from "../../i18n/format";
import { useApp, useDesk, useNarrow, useNow, useSession } from "../context";
import { Avatar, Brand, Button, Empty, IconButton } from "../kit";
import { LandmarkContext, MenuPlace } from "../kit/menu";
import { keyNames } from "../keys";
import { noticeText } from "../message/notice";
import { plain, tameName } from "../message/text";
import "./list.css";

type Filter = "all" | "unread";

/** Every conversation, the newest first; and what belongs to the person themselves. */
export function List({ edge }: { edge?: ReactNode }) {
  const t = useText();
  const desk = useDesk();
  const session = useSession();
  const rooms = useApp((s) => s.rooms);
  const selected = useApp((s) => s.selected);
  const loaded = useApp((s) => s.loaded);
  const narrow = useNarrow();
  const [filter, setFilter] = useState<Filter>("all");
  const landmark = useRef<HTMLElement>(null);
  const list = useMemo(() => roomList(session.state), [session, rooms]);
  const shown = filter === "unread" ? list.filter((r) => r.unread || r.room === selected) : list;
  const unread = list.filter((r) => r.unread).length;

  const onKey = (e: KeyboardEvent<HTMLElement>) => {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(e.key) || e.altKey) return;
    const rows = [...e.currentTarget.querySelectorAll<HTMLElement>(".row")];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    const to = e.key === "Home" ? 0 : e.key === "End" ? rows.length - 1 : at + (e.key === "ArrowDown" ? 1 : -1);
    e.preventDefault();
    rows[Math.max(0, Math.min(rows.length - 1, to))]?.focus();
  };
  const tab = shown.some((r) => r.room === selected) ? selected : shown[0]?.room;
  return (
    <nav ref={landmark} className="list" aria-label={t("list.label")} data-landmark tabIndex={-1}>
      {!selected && <h1 className="unseen">{t("list.label")}</h1>}
      <header className="list-head">
        <LandmarkContext value={landmark}><Person /></LandmarkContext>
        <IconButton label={t("new.title")} keys="C" onClick={() => desk.open("new")}><MessageSquarePlus size={20} /></IconButton>
        {selected && !narrow && <IconButton label={t("desk.fold")} keys={keyNames("Mod+Shift+D")} onClick={() => desk.fold(true)}><PanelLeftClose size={19} className="flip" /></IconButton>}
      </header>
      <button type="button" className="list-find" onClick={() => desk.open("switcher")}>
        <Search size={16} aria-hidden="true" /><span>{t("list.find")}</span><kbd className="key">{keyNames("Mod+K")}</kbd>
      </button>
      {list.length > 6 && (
        <div className="list-filter" role="group" aria-label={t("list.filter")}>
          <button type="button" aria-pressed={filter === "all"} onClick={() => setFilter("all")}>{t("list.all")}</button>
          <button type="button" aria-pressed={filter === "unread"} onClick={() => setFilter("unread")}>{t("list.unread")}{unread > 0 && <span className="figures"> {unread}</span>}</button>
        </div>
      )}
      <ul className="list-rows" onKeyDown={onKey}>
        {shown.map((r) => <li key={r.room}><Row room={r} selected={r.room === selected} tab={r.room === tab} /></li>)}
      </ul>
      {loaded && list.length === 0 && (narrow ? <Empty title={t("desk.first")} text={t("desk.first.text")}><Button kind="main" onClick={() => desk.open("new")}>{t("new.title")}</Button></Empty> : <p className="list-none">{t("list.none")}</p>)}
      {list.length > 0 && shown.length === 0 && <p className="list-none">{t("list.read")}</p>}
      <Connection />
      {edge}
    </nav>
  );
}

const Row = memo(function Row({ room, selected, tab }: { room: RoomView; selected: boolean; tab: boolean }) {
  const t = useText();
  const session = useSession();
  const me = useApp((s) => s.me?.user);
  const now = useNow(60_000);
  const peer = other(room, me);
  const muted = room.notify === "none";
  const quiet = muted || (room.notify === "mentions" && !room.mentions);
  const name = tameName(room.name);
  return (
    <button type="button" className={["row", selected && "row-selected", room.unread && !quiet && "row-unread", room.left && "row-left"].filter(Boolean).join(" ")} tabIndex={tab ? 0 : -1} aria-current={selected || undefined} onClick={() => session.select(room.room)}>
      <Avatar id={peer?.user ?? room.room} name={room.name} room={!peer} />
      <span className="row-text">
        <span className="row-top">
          <bdi className="row-name cut">{name}</bdi>
          <span className="row-marks">
            {room.pinned && <><Pin size={12} aria-hidden="true" /><span className="unseen">{t("list.pinned")}</span></>}
            {muted && <><BellOff size={12} aria-hidden="true" /><span className="unseen">{t("list.muted")}</span></>}
            {room.notify === "mentions" && <><AtSign size={12} aria-hidden="true" /><span className="unseen">{t("notify.mentions")}</span></>}
            {(room.burn || room.expire) && <span className={room.burn ? "row-timer row-timer-hot" : "row-timer"}>{room.burn ? <Flame size={12} aria-hidden="true" /> : <Hourglass size={11} aria-hidden="true" />}<span className="unseen">{room.burn ? t("timer.burn", { time: duration(room.burn, "long") }) : t("timer.expire", { time: duration(room.expire ?? 0, "long") })}</span></span>}
          </span>
          {room.activity ? <time className="row-time figures" dateTime={new Date(room.activity).toISOString()}>{brief(room.activity, now)}</time> : null}
        </span>
        <span className="row-bottom">
          <Preview room={room} />
          {(room.alarm || peer?.trust === "changed") && <span className="row-alarm"><ShieldAlert size={16} aria-hidden="true" /><span className="unseen">{t("alarm.title")}</span></span>}
          {room.mentions ? <span className="badge badge-mention" role="img" aria-label={t("list.mentions", { n: room.mentions })}>@{room.mentions > 1 ? room.mentions : ""}</span> : null}
          {room.unread ? <span className={quiet ? "badge badge-muted" : "badge"}><span aria-hidden="true">{room.unread > 999 ? "999+" : room.unread}</span><span className="unseen">{t("list.unreadCount", { n: room.unread })}</span></span> : null}
        </span>
      </span>
    </button>
  );
});

function Preview({ room }: { room: RoomView }) {
  const t = useText();
  const typing = useApp((s) => s.typing[room.room]);
  const me = useApp((s) => s.me);
  const people = useApp((s) => s.people);
  const selected = useApp((s) => s.selected === room.room);
  const users = Object.keys(typing ?? {});
  if (users.length > 0) {
    const who = users.map((u) => tameName(room.members.find((m) => m.user === u)?.name ?? ""));
    return <span className="row-preview row-typing cut">{room.kind === "direct" ? t("typing.short") : t("typing", { names: names(who, t, 2), n: users.length })}</span>;
  }
  if (room.draft && !selected) return <span className="row-preview cut"><b className="row-draft">{t("list.draft")}</b> <bdi>{plain(room.draft, 90)}</bdi></span>;
  const m = room.lastMessage;
  if (!m) return <span className="row-preview row-none cut">{room.left ? t("list.left") : t("list.empty")}</span>;
  const text = m.kind === "notice" ? noticeText(m, { me, people, rooms: { [room.room]: room } }, t) : m.kind === "unsupported" ? t("message.unsupported") : plain(m.text ?? "", 120);
  const by = m.kind === "notice" ? "" : m.mine ? t("you") : room.kind === "direct" ? "" : tameName(m.name).split(" ")[0];
  return (
    <span className="row-preview cut">
      {m.state === "queued" && <Clock3 size={12} className="row-state" role="img" aria-label={t("delivery.queued")} />}
      {givenUp(m) && <TriangleAlert size={12} className="row-state row-failed" role="img" aria-label={t(`delivery.${m.state}`)} />}
      {by && <span className="row-by"><bdi>{by}</bdi>: </span>}
      <bdi>{text}</bdi>
    </span>
  );
}

/** One's own menu. */
function Person() {
  const t = useText();
  const desk = useDesk();
  const session = useSession();
  const me = useApp((s) => s.me);
  return (
    <Menu.Root>
      <Menu.Trigger render={<button type="button" className="list-me" aria-label={t("menu.label", { name: tameName(me?.name ?? "") })} />}>
        <Brand size={26} />
        <span className="cut">Sconce</span>
      </Menu.Trigger>
      <MenuPlace align="start" sideOffset={4}>
        <Menu.Popup className="popup menu">
          <div className="person list-who"><Avatar id={me?.user ?? ""} name={me?.name ?? ""} size="2.25rem" /><span className="person-text"><bdi className="person-name cut">{tameName(me?.name ?? "")}</bdi><span className="person-note cut">{me?.deviceName}</span></span></div>
          <div className="menu-line" role="separator" />
          <Menu.Item className="menu-item" onClick={() => desk.open("settings")}><Gear size={16} />{t("settings.title")}<kbd className="menu-item-hint menu-key">{keyNames("Mod+,")}</kbd></Menu.Item>
          <Menu.Item className="menu-item" onClick={() => desk.open("devices")}><Monitor size={16} />{t("settings.devices")}</Menu.Item>
          <Menu.Item className="menu-item" onClick={() => desk.open("shortcuts")}><Keyboard size={16} />{t("keys.title")}<kbd className="menu-item-hint menu-key">{keyNames("Mod+/")}</kbd></Menu.Item>
          <div className="menu-line" role="separator" />
          <Menu.Item className="menu-item" onClick={() => void session.lock()}><Lock size={16} />{t("lock")}</Menu.Item>
        </Menu.Popup>
      </MenuPlace>
    </Menu.Root>
  );
}

/** Says when the server can't be reached, and what waits for it; nothing while all is well. */
function Connection() {
  const t = useText();
  const { state, queued, behind, ahead = 0 } = useApp((s) => s.connection);
  const text = state === "full" ? t("connection.full")
    : state === "offline" ? t("connection.offline", { n: queued })
    : state === "connecting" ? t("connection.connecting")
    : behind > 0 ? t("connection.behind", { n: behind })
    : "";
  return (
    <div className="connection" data-state={state} role="status">
      {text && <div className="connection-bar"><span className="connection-dot" aria-hidden="true" />{text}</div>}
      {ahead !== 0 && <div className="connection-bar"><span className="connection-dot" aria-hidden="true" />{wrongClock(ahead)}</div>}
    </div>
  );
}
