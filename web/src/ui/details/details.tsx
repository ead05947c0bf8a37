import { Menu } from "@base-ui/react/menu";
import { Ellipsis, Flame, Hourglass, LogOut, Pencil, ShieldOff, ShieldPlus, UserPlus, X } from "lucide-react";
import { useRef, useState, type ReactNode } from "react";
import type { MemberView, Notify, RoomView } from "../../core/bridge";
import { other } from "../../core/rows";
import { useText } from "../../i18n";
import { useApp, useDesk, useSession } from "../context";
import { Avatar, Button, Choices, Confirm, Dialog, Field, IconButton, Switch, TrustMark } from "../kit";
import { LandmarkContext, MenuPlace } from "../kit/menu";
import { tame, tameName } from "../message/text";
import { AddPeople } from "../people/choose";
import { TimerMenu } from "./timers";
import "./details.css";

const manyMembers = 40;

/** All about a room that is not its messages. */
export function Details({ room, edge }: { room: RoomView; edge?: ReactNode }) {
  const t = useText();
  const desk = useDesk();
  const session = useSession();
  const me = useApp((s) => s.me?.user);
  const [asking, setAsking] = useState<"add" | "leave" | "edit">();
  const landmark = useRef<HTMLElement>(null);
  const peer = other(room, me);
  const admin = room.kind === "direct" || room.admin === true;
  const set = (change: { expire?: number; burn?: number }) => void session.wish("setRoom", { room: room.room, ...change });
  return (
    <LandmarkContext value={landmark}>
      <aside ref={landmark} className="details" aria-label={t("details.title")} data-landmark tabIndex={-1}>
        {edge}
        <header className="details-head">
          <h2>{t("details.title")}</h2>
          <IconButton label={t("close")} onClick={() => desk.details(false)}><X size={18} /></IconButton>
        </header>
        <div className="details-body">
          <div className="person-card">
            <Avatar id={peer?.user ?? room.room} name={room.name} room={!peer} size="4.5rem" />
            <h3><bdi>{tameName(room.name)}</bdi></h3>
            {room.description && <p className="details-about" dir="auto">{tame(room.description)}</p>}
            {peer && <TrustMark trust={peer.trust} />}
            {peer && <Button small onClick={() => desk.person(peer.user, true)}>{t(peer.trust === "verified" ? "safety.show" : "safety.verify")}</Button>}
            {!peer && admin && !room.left && <Button small kind="quiet" onClick={() => setAsking("edit")}><Pencil size={14} />{t("details.edit")}</Button>}
          </div>

          <section className="details-part">
            <h3>{t("details.burning")}</h3>
            <TimerMenu icon={<Hourglass size={17} aria-hidden="true" />} name={t("timer.expire.name")} hint={t("timer.expire.hint")} value={room.expire ?? 0} none={t("timer.never")} fixed={!admin || Boolean(room.left)} change={(expire) => set({ expire })} />
            <TimerMenu icon={<Flame size={17} aria-hidden="true" />} name={t("timer.burn.name")} hint={t("timer.burn.hint")} value={room.burn ?? 0} none={t("timer.off")} fixed={!admin || Boolean(room.left)} change={(burn) => set({ burn })} hot />
            {!admin && <p className="setting-hint">{t("timer.admins")}</p>}
          </section>

          <section className="details-part">
            <h3>{t("details.mine")}</h3>
            <Switch name={t("details.pin")} on={room.pinned ?? false} change={(pinned) => void session.wish("preferences", { room: room.room, pinned })} />
            <div className="setting details-notify">
              <span className="setting-name">{t("details.notify")}</span>
              <Choices<Notify> label={t("details.notify")} value={room.notify} change={(notify) => void session.wish("preferences", { room: room.room, notify })}
                options={[["all", t("notify.all")], ["mentions", t("notify.mentions")], ["none", t("notify.none")]]} />
            </div>
          </section>

          {!peer && <Members room={room} me={me} admin={admin} add={() => setAsking("add")} />}

          {!room.left && !peer && (
            <section className="details-part">
              <Button kind="bad-quiet" onClick={() => setAsking("leave")}><LogOut size={16} className="flip" />{t("leave.title")}</Button>
            </section>
          )}
        </div>
        {asking === "add" && <AddPeople room={room.room} members={room.members.map((m) => m.user)} close={() => setAsking(undefined)} />}
        {asking === "edit" && <EditRoom room={room} close={() => setAsking(undefined)} />}
        <Confirm open={asking === "leave"} close={() => setAsking(undefined)} title={t("leave.title")} text={t("leave.text", { name: tameName(room.name) })} yes={t("leave.go")} bad act={() => void session.wish("leave", { room: room.room })} />
      </aside>
    </LandmarkContext>
  );
}

function Members({ room, me, admin, add }: { room: RoomView; me?: string; admin: boolean; add: () => void }) {
  const t = useText();
  const [all, setAll] = useState(false);
  const sorted = room.members.toSorted((a, b) => Number(b.admin ?? false) - Number(a.admin ?? false) || a.name.localeCompare(b.name));
  const shown = all ? sorted : sorted.slice(0, manyMembers);
  return (
    <section className="details-part">
      <div className="details-row"><h3>{t("members", { n: room.members.length })}</h3>{admin && !room.left && <Button small kind="quiet" onClick={add}><UserPlus size={15} />{t("add.title")}</Button>}</div>
      {room.unchecked ? <p className="setting-hint">{t("details.unchecked", { n: room.unchecked })}</p> : null}
      <ul className="members">{shown.map((m) => <Member key={m.user} room={room} member={m} mine={m.user === me} admin={admin} />)}</ul>
      {shown.length < sorted.length && <Button small kind="quiet" onClick={() => setAll(true)}>{t("details.all", { n: sorted.length })}</Button>}
    </section>
  );
}

function Member({ room, member: m, mine, admin }: { room: RoomView; member: MemberView; mine: boolean; admin: boolean }) {
  const t = useText();
  const desk = useDesk();
  const session = useSession();
  const [removing, setRemoving] = useState(false);
  const name = tameName(m.name);
  return (
    <li className="member">
      <button type="button" className="person" onClick={() => desk.person(m.user)}>
        <Avatar id={m.user} name={m.name} size="2.125rem" />
        <span className="person-text">
          <span className="member-name"><bdi className="person-name cut">{name}</bdi><TrustMark trust={m.trust} quiet /></span>
          {(mine || m.admin) && <span className="person-note">{[mine && t("you"), m.admin && t("details.admin")].filter(Boolean).join(" · ")}</span>}
        </span>
      </button>
      {admin && !mine && !room.left && (
        <Menu.Root>
          <Menu.Trigger render={<button type="button" className="icon-button icon-button-small" aria-label={t("member.menu", { name })}><Ellipsis size={16} /></button>} />
          <MenuPlace align="end" sideOffset={4}>
            <Menu.Popup className="popup menu">
              <Menu.Item className="menu-item" onClick={() => void session.wish("setAdmin", { room: room.room, user: m.user, admin: !m.admin })}>{m.admin ? <ShieldOff size={16} /> : <ShieldPlus size={16} />}{t(m.admin ? "member.admin.off" : "member.admin")}</Menu.Item>
              <Menu.Item className="menu-item menu-item-bad" onClick={() => setRemoving(true)}><X size={16} />{t("member.remove")}</Menu.Item>
            </Menu.Popup>
          </MenuPlace>
        </Menu.Root>
      )}
      <Confirm open={removing} close={() => setRemoving(false)} title={t("member.remove")} text={t("member.remove.text", { name })} yes={t("member.remove")} bad act={() => void session.wish("removePerson", { room: room.room, user: m.user })} />
    </li>
  );
}

function EditRoom({ room, close }: { room: RoomView; close: () => void }) {
  const t = useText();
  const session = useSession();
  const [name, setName] = useState(room.name);
  const [about, setAbout] = useState(room.description ?? "");
  const save = async () => {
    const change = { ...(name.trim() !== room.name ? { name: name.trim() } : {}), ...(about.trim() !== (room.description ?? "") ? { description: about.trim() } : {}) };
    if (Object.keys(change).length === 0 || (await session.wish("setRoom", { room: room.room, ...change }))) close();
  };
  return (
    <Dialog open close={close} title={t("details.edit")}>
      <form className="new-form" onSubmit={(e) => { e.preventDefault(); void save(); }}>
        <Field label={t("new.name")} value={name} maxLength={100} onChange={(e) => setName(e.target.value)} />
        <Field label={t("details.description")} value={about} maxLength={500} onChange={(e) => setAbout(e.target.value)} />
        <div className="dialog-foot">
          <Button kind="quiet" onClick={close}>{t("cancel")}</Button>
          <Button kind="main" type="submit" disabled={!name.trim()}>{t("save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

