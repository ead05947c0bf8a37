import { Dialog } from "@base-ui/react/dialog";
import { Keyboard, Lock, MessageSquarePlus, Monitor, Search, Settings } from "lucide-react";
import { useEffect, useId, useMemo, useState, type ReactNode } from "react";
import { fuzzy, type Fit } from "../../core/fuzzy";
import { other, roomList } from "../../core/rows";
import { useText } from "../../i18n";
import { useApp, useDesk, useSession } from "../context";
import { Avatar, TrustMark } from "../kit";
import { tameName } from "../message/text";
import "./switcher.css";

interface Found {
  id: string;
  name: string;
  group: "rooms" | "people" | "commands";
  icon: ReactNode;
  note?: ReactNode;
  fit: Fit;
  boost: number;
  go: () => void;
}

const most = 12;

/** Goes anywhere by a few letters: rooms, people, and what can be done. */
export function Switcher({ close }: { close: () => void }) {
  const t = useText();
  const id = useId();
  const [query, setQuery] = useState("");
  const [picked, setPicked] = useState(0);
  const session = useSession();
  useEffect(() => void session.people(), [session]);
  const found = useFound(query);
  const go = (at: number) => {
    close();
    found[at]?.go();
  };
  const onKey = (e: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) {
      e.preventDefault();
      setPicked((picked + step + found.length) % Math.max(1, found.length));
    } else if (e.key === "Enter") {
      e.preventDefault();
      go(picked);
    }
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="veil" />
        <Dialog.Popup className="dialog dialog-bare switcher" aria-label={t("switcher.title")}>
          <label className="switcher-field">
            <Search size={18} aria-hidden="true" />
            <input value={query} onChange={(e) => { setQuery(e.target.value); setPicked(0); }} onKeyDown={onKey} placeholder={t("switcher.hint")} aria-label={t("switcher.title")} spellCheck={false} autoComplete="off"
              role="combobox" aria-expanded="true" aria-autocomplete="list" aria-controls={`${id}-list`} aria-activedescendant={found.length > 0 ? `${id}-${picked}` : undefined} />
          </label>
          <ul className="switcher-list" role="listbox" id={`${id}-list`} aria-label={t("switcher.title")}>
            {found.map((f, i) => (
              <li key={f.id} id={`${id}-${i}`} role="option" aria-selected={i === picked} className="person" ref={(e) => { if (i === picked) e?.scrollIntoView({ block: "nearest" }); }} onClick={() => go(i)} onPointerMove={() => setPicked(i)}>
                {f.icon}
                <span className="person-text"><bdi className="cut"><Hits name={f.name} hits={f.fit.hits} /></bdi></span>
                {f.note}
                <span className="switcher-kind">{t(`switcher.${f.group}`)}</span>
              </li>
            ))}
          </ul>
          {found.length === 0 && <p className="list-none">{t("switcher.none")}</p>}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Hits({ name, hits }: { name: string; hits: number[] }) {
  if (hits.length === 0) return <>{name}</>;
  const set = new Set(hits);
  return <>{[...name].map((c, i) => (set.has(i) ? <b key={i}>{c}</b> : c))}</>;
}

function useFound(query: string): Found[] {
  const t = useText();
  const session = useSession();
  const desk = useDesk();
  const state = session.state;
  const people = useApp((s) => s.people);
  // Nobody tells when somebody new joins: whoever looks for people asks.
  useEffect(() => void session.people(), [session]);
  return useMemo(() => {
    const all: Found[] = [];
    const add = (f: Omit<Found, "fit">) => {
      const fit = fuzzy(query, f.name);
      if (fit) all.push({ ...f, fit });
    };
    const me = state.me?.user;
    for (const r of roomList(state)) {
      const peer = other(r, me);
      // Recent ones first, but not the room one is already in.
      const recent = state.recent.indexOf(r.room);
      add({
        id: r.room, name: tameName(r.name), group: "rooms", icon: <Avatar id={peer?.user ?? r.room} name={r.name} room={!peer} size="1.875rem" />,
        note: r.unread ? <span className="badge badge-muted">{r.unread}</span> : undefined,
        boost: (recent > 0 ? 20 - recent : recent === 0 ? -5 : 0) + (r.unread ? 6 : 0) - (r.left ? 10 : 0), go: () => session.select(r.room),
      });
    }
    const direct = new Set(Object.values(state.rooms).flatMap((r) => other(r, me)?.user ?? []));
    for (const p of people) {
      if (p.user === me || direct.has(p.user)) continue;
      add({ id: p.user, name: tameName(p.name), group: "people", icon: <Avatar id={p.user} name={p.name} size="1.875rem" />, note: <TrustMark trust={p.trust} quiet />, boost: -2, go: () => desk.person(p.user) });
    }
    const command = (key: string, name: string, icon: ReactNode, go: () => void) => add({ id: key, name, group: "commands", icon: <span className="switcher-icon">{icon}</span>, boost: -4, go });
    command("c-new", t("new.title"), <MessageSquarePlus size={17} />, () => desk.open("new"));
    command("c-search", t("search.title"), <Search size={17} />, () => desk.open("search"));
    command("c-settings", t("settings.title"), <Settings size={17} />, () => desk.open("settings"));
    command("c-devices", t("settings.devices"), <Monitor size={17} />, () => desk.open("devices"));
    command("c-keys", t("keys.title"), <Keyboard size={17} />, () => desk.open("shortcuts"));
    command("c-lock", t("lock"), <Lock size={17} />, () => void session.lock());
    return all.sort((a, b) => b.fit.score * 4 + b.boost - (a.fit.score * 4 + a.boost)).slice(0, most);
  }, [query, state, people, session, desk, t]);
}
