import { ArrowLeft, Flame, Hourglass, PanelLeftOpen, PanelRight, Search, ShieldAlert, ShieldCheck, Users } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import type { MessageView, RoomView } from "../../core/bridge";
import { counted, other, unreadTotal } from "../../core/rows";
import { useText } from "../../i18n";
import { duration, names } from "../../i18n/format";
import { Closed, Held, type Writing } from "../composer/parts";
import { useApp, useDesk, useLook, useNarrow, useSession } from "../context";
import { Avatar, Button, IconButton, TrustMark } from "../kit";
import { keyNames } from "../keys";
import { tame, tameName } from "../message/text";
import { Skeleton, Timeline } from "../timeline/timeline";
import "./room.css";

const loadComposer = () => import("../composer/composer");
const Composer = lazy(loadComposer);

/** Reads the composer before it is needed. */
export function warmComposer(): void {
  void loadComposer();
}

/** One conversation: who it is with, what was said, and what is being written. */
export function Room({ room }: { room: RoomView }) {
  const stretch = useApp((s) => s.timelines[room.room]);
  const [writing, setWriting] = useState<Writing>({});
  const reply = useCallback((m: MessageView) => setWriting({ reply: m }), []);
  const edit = useCallback((m: MessageView) => setWriting({ edit: m }), []);
  const [acts] = useState({ reply, edit });
  const session = useSession();
  // What is answered or edited may burn meanwhile.
  useEffect(() => session.watch((g) => setWriting((w) => (!g || (w.reply ?? w.edit)?.id === g.id ? {} : w))), [session]);
  const me = useApp((s) => s.me?.user);
  // Whoever was verified and speaks with other keys now holds up writing, until the person says that they know.
  const changed = room.members.filter((m) => m.trust === "changed" && m.user !== me).map((m) => m.user).join(" ");
  const [known, setKnown] = useState("");
  const held = changed === known ? [] : room.members.filter((m) => m.trust === "changed" && m.user !== me).map((m) => tameName(m.name));
  return (
    <section className="room" aria-label={tameName(room.name)}>
      <Header room={room} />
      <Banners room={room} />
      {stretch ? <Timeline room={room} stretch={stretch} acts={acts} /> : <Skeleton />}
      <Typing room={room} />
      {room.left ? <Closed /> : held.length > 0 ? <Held names={held} go={() => setKnown(changed)} /> : (
        <Suspense fallback={<div className="composer"><div className="composer-wait" /></div>}>
          <Composer room={room} writing={writing} change={setWriting} />
        </Suspense>
      )}
    </section>
  );
}

function Header({ room }: { room: RoomView }) {
  const t = useText();
  const desk = useDesk();
  const narrow = useNarrow();
  const { look } = useLook();
  const elsewhere = useApp(unreadTotal) - counted(room);
  const me = useApp((s) => s.me?.user);
  const peer = other(room, me);
  const timers = [room.expire && t("timer.expire", { time: duration(room.expire, "long") }), room.burn && t("timer.burn", { time: duration(room.burn, "long") })].filter(Boolean).join(" · ");
  return (
    <header className="room-head" data-landmark tabIndex={-1}>
      {narrow && <IconButton label={t("back")} onClick={desk.back}><ArrowLeft size={20} className="flip" /></IconButton>}
      {!narrow && look.folded && (
        <IconButton className="unfold" label={t("desk.unfold")} keys={keyNames("Mod+Shift+D")} onClick={() => desk.fold(false)}>
          <PanelLeftOpen size={19} className="flip" />
          {elsewhere > 0 && <span className="unfold-dot"><span className="unseen">{t("list.unreadCount", { n: elsewhere })}</span></span>}
        </IconButton>
      )}
      <button type="button" className="room-title" onClick={() => desk.details(!desk.detailsOpen)} aria-expanded={desk.detailsOpen}>
        <Avatar id={peer?.user ?? room.room} name={room.name} room={!peer} size="2.25rem" />
        <span className="room-title-text">
          <span className="room-name"><h1 className="cut"><bdi>{tameName(room.name)}</bdi></h1>{peer && <TrustMark trust={peer.trust} quiet />}</span>
          <span className="room-sub cut">
            {!peer && <span className="room-sub-item"><Users size={13} aria-hidden="true" />{t("members", { n: room.members.length })}</span>}
            {peer && peer.trust === "unverified" && <span>{t("trust.unverified")}</span>}
            {timers && (
              <span className={room.burn ? "room-sub-item room-sub-hot" : "room-sub-item"} title={timers}>
                {room.burn ? <Flame size={13} aria-hidden="true" /> : <Hourglass size={12} aria-hidden="true" />}
                <span className="unseen">{timers}</span>
                <span aria-hidden="true">{[room.burn, room.expire].filter(Boolean).map((s) => duration(s ?? 0)).join(" · ")}</span>
              </span>
            )}
            {!peer && <Badge room={room} me={me} />}
          </span>
        </span>
      </button>
      <IconButton label={t("search.room")} keys={keyNames("Mod+Shift+F")} onClick={() => desk.open("search", room.room)}><Search size={19} /></IconButton>
      <IconButton label={t("details.title")} keys={keyNames("Mod+.")} aria-expanded={desk.detailsOpen} onClick={() => desk.details(!desk.detailsOpen)}><PanelRight size={19} className="flip" /></IconButton>
    </header>
  );
}

/** Whether everybody in the room is known to be who they seem. */
function Badge({ room, me }: { room: RoomView; me?: string }) {
  const t = useText();
  const changed = room.members.some((m) => m.trust === "changed");
  const unverified = room.members.filter((m) => m.user !== me && m.trust !== "verified").length;
  if (changed) return <span className="room-sub-item mark-changed"><ShieldAlert size={13} aria-hidden="true" />{t("badge.changed")}</span>;
  if (room.verified || unverified === 0) return <span className="room-sub-item room-badge mark-verified"><ShieldCheck size={13} aria-hidden="true" />{t("badge.verified")}</span>;
  return <span className="room-sub-item room-badge">{t("badge.some", { n: unverified })}</span>;
}

function Banners({ room }: { room: RoomView }) {
  const t = useText();
  const session = useSession();
  const desk = useDesk();
  const me = useApp((s) => s.me?.user);
  const changed = room.members.filter((m) => m.trust === "changed" && m.user !== me);
  return (
    <>
      {room.alarm && (
        <div className="banner banner-bad" role="alert">
          <ShieldAlert size={18} aria-hidden="true" />
          <p><b>{t("alarm.title")}</b> {tame(room.alarm)}</p>
          <Button small onClick={() => void session.wish("dismiss", { room: room.room })}>{t("alarm.dismiss")}</Button>
        </div>
      )}
      {changed.map((m) => (
        <div key={m.user} className="banner banner-bad" role="alert">
          <ShieldAlert size={18} aria-hidden="true" />
          <p>{t("changed.text", { name: tameName(m.name) })}</p>
          <Button small onClick={() => desk.person(m.user)}>{t("changed.look")}</Button>
        </div>
      ))}
      {room.waiting && (
        <div className="banner" role="status">
          <Hourglass size={16} aria-hidden="true" />
          <p>{t("waiting.text")} {tame(room.waiting)}</p>
        </div>
      )}
    </>
  );
}

function Typing({ room }: { room: RoomView }) {
  const t = useText();
  const typing = useApp((s) => s.typing[room.room]);
  const users = Object.keys(typing ?? {});
  const who = users.map((u) => tameName(room.members.find((m) => m.user === u)?.name ?? ""));
  return (
    <div className="typing" aria-live="polite">
      {users.length > 0 && <><span className="typing-dots" aria-hidden="true"><i /><i /><i /></span>{t("typing", { names: names(who, t), n: users.length })}</>}
    </div>
  );
}
