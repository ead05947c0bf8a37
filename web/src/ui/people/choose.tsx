import { Check, X } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { PersonView } from "../../core/bridge";
import { fuzzy } from "../../core/fuzzy";
import { useText } from "../../i18n";
import { useApp, useSession } from "../context";
import { Avatar, Button, Dialog, Field, SearchField, TrustMark } from "../kit";
import { tameName } from "../message/text";
import "./people.css";

const shown = 60;

/** People of the network, to choose some of. */
function People({ picked, toggle, without }: { picked: readonly PersonView[]; toggle: (p: PersonView) => void; without: readonly string[] }) {
  const t = useText();
  const people = useApp((s) => s.people);
  const me = useApp((s) => s.me?.user);
  const session = useSession();
  const [query, setQuery] = useState("");
  // Somebody may have come in since the page was opened.
  useEffect(() => void session.people(), [session]);
  const found = useMemo(() => people
    .filter((p) => p.user !== me && !without.includes(p.user))
    .flatMap((p) => {
      const fit = fuzzy(query, p.name);
      return fit ? [{ p, score: fit.score }] : [];
    })
    .sort((a, b) => b.score - a.score || a.p.name.localeCompare(b.p.name)), [people, query, me, without]);
  return (
    <>
      <SearchField label={t("people.search")} value={query} autoFocus onChange={(e) => setQuery(e.target.value)}
        onKeyDown={(e) => {
          const first = found[0];
          if (e.key === "Enter" && first && query) {
            e.preventDefault();
            toggle(first.p);
            setQuery("");
          }
        }} />
      {picked.length > 0 && (
        <div className="picked">
          {picked.map((p) => <button key={p.user} type="button" className="chip" onClick={() => toggle(p)} title={t("people.unpick", { name: tameName(p.name) })}><Avatar id={p.user} name={p.name} size="1.375rem" /><bdi className="cut">{tameName(p.name)}</bdi><X size={13} aria-hidden="true" /></button>)}
        </div>
      )}
      <div className="choose" role="group" aria-label={t("people.label")}>
        {found.slice(0, shown).map(({ p }) => {
          const on = picked.some((x) => x.user === p.user);
          return (
            <button key={p.user} type="button" role="checkbox" aria-checked={on} className="person" onClick={() => toggle(p)}>
              <Avatar id={p.user} name={p.name} size="2.25rem" />
              <span className="person-text"><bdi className="person-name cut">{tameName(p.name)}</bdi></span>
              <TrustMark trust={p.trust} quiet />
              <span className="check" aria-hidden="true">{on && <Check size={13} />}</span>
            </button>
          );
        })}
        {found.length === 0 && <p className="list-none">{people.length <= 1 ? t("people.alone") : t("people.none")}</p>}
      </div>
    </>
  );
}

const toggled = (list: readonly PersonView[], p: PersonView) => (list.some((x) => x.user === p.user) ? list.filter((x) => x.user !== p.user) : [...list, p]);

/** Starts a conversation: with one person as they are, with several as a room that has a name. */
export function NewConversation({ close }: { close: () => void }) {
  const t = useText();
  const session = useSession();
  const [picked, setPicked] = useState<readonly PersonView[]>([]);
  const [room, setRoom] = useState(false);
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const named = room || picked.length > 1;
  const start = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const one = picked[0];
      const made = !named && one ? await session.ask("directRoom", { user: one.user }) : await session.ask("newRoom", { name: name.trim(), users: picked.map((p) => p.user) });
      session.dispatch({ type: "event", event: { room: made }, now: Date.now() });
      session.select(made.room);
      close();
    } catch (e) {
      setError(session.explain(e));
      setBusy(false);
    }
  };
  return (
    <Dialog open close={close} title={t("new.title")}>
      <form className="new-form" onSubmit={(e) => { e.preventDefault(); void start(); }}>
        <People picked={picked} toggle={(p) => setPicked(toggled(picked, p))} without={[]} />
        {named && <Field label={t("new.name")} value={name} maxLength={100} onChange={(e) => setName(e.target.value)} />}
        {error && <p className="field-error" role="alert">{error}</p>}
        <div className="dialog-foot">
          {!named && <Button kind="quiet" onClick={() => setRoom(true)}>{t("new.room")}</Button>}
          <Button type="submit" kind="main" busy={busy} disabled={named ? !name.trim() : picked.length !== 1}>{t(named ? "new.make" : "new.start")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Brings more people into a room. */
export function AddPeople({ room, members, close }: { room: string; members: readonly string[]; close: () => void }) {
  const t = useText();
  const session = useSession();
  const [picked, setPicked] = useState<readonly PersonView[]>([]);
  const [busy, setBusy] = useState(false);
  const add = async () => {
    setBusy(true);
    if (await session.wish("addPeople", { room, users: picked.map((p) => p.user) })) close();
    setBusy(false);
  };
  return (
    <Dialog open close={close} title={t("add.title")} text={t("add.text")}>
      <People picked={picked} toggle={(p) => setPicked(toggled(picked, p))} without={members} />
      <div className="dialog-foot">
        <Button kind="quiet" onClick={close}>{t("cancel")}</Button>
        <Button kind="main" busy={busy} disabled={picked.length === 0} onClick={() => void add()}>{t("add.go", { n: picked.length })}</Button>
      </div>
    </Dialog>
  );
}
