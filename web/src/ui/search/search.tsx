import { X } from "lucide-react";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { Hit } from "../../core/bridge";
import { useText } from "../../i18n";
import { brief } from "../../i18n/format";
import { useApp, useSession } from "../context";
import { Button, IconButton, SearchField } from "../kit";
import { plain, tameName } from "../message/text";
import "./search.css";

const pause = 220;
const around = 60;

/** Looks through what this device holds. What has burned is never found. */
export function Search({ room, turn: asked, edge, close, show }: { room?: string; turn: number; edge?: ReactNode; close: () => void; show: (room: string, id: string) => void }) {
  const t = useText();
  const session = useSession();
  const [query, setQuery] = useState("");
  const [inRoom, setInRoom] = useState(room !== undefined);
  const [hits, setHits] = useState<Hit[]>([]);
  const [more, setMore] = useState<string>();
  const [state, setState] = useState<"idle" | "busy" | "done">("idle");
  const turn = useRef(0);
  const field = useRef<HTMLInputElement>(null);
  const name = useApp((s) => (room ? s.rooms[room]?.name : undefined));
  // What goes while it is shown, or while the core looks, goes from here too.
  const gone = useRef(new Set<string>());
  const still = (all: readonly Hit[]) => all.filter((h) => !gone.current.has(h.message.id));
  useEffect(() => session.watch((g) => {
    if (g) gone.current.add(g.id);
    else turn.current++;
    setHits((had) => (g ? still(had) : []));
    if (g) return;
    setMore(undefined);
    setState("idle");
  }), [session]);

  const run = async (before?: string) => {
    const mine = ++turn.current;
    setState("busy");
    try {
      const page = await session.ask("search", { query: query.trim(), limit: 30, ...(inRoom && room ? { room } : {}), ...(before ? { before } : {}) });
      if (mine !== turn.current) return;
      setHits((had) => still(before ? [...had, ...page.hits] : page.hits));
      setMore(page.next);
    } catch (e) {
      if (mine === turn.current) session.tell(session.explain(e), "problem");
    }
    if (mine === turn.current) setState("done");
  };
  useEffect(() => {
    turn.current++;
    if (query.trim().length < 2) {
      setHits([]);
      setState("idle");
      return undefined;
    }
    const timer = setTimeout(() => void run(), pause);
    return () => clearTimeout(timer);
  }, [query, inRoom]);

  // Asked for again, it begins with what stands there.
  useEffect(() => {
    setInRoom(room !== undefined);
    field.current?.focus();
    field.current?.select();
  }, [asked]);

  return (
    <aside className="details find" aria-label={t("search.title")} data-landmark tabIndex={-1} onKeyDown={(e) => e.key === "Escape" && close()}>
      {edge}
      <header className="find-head">
        <SearchField ref={field} label={t("search.title")} value={query} onChange={(e) => setQuery(e.target.value)} />
        <IconButton label={t("close")} keys="Esc" onClick={close}><X size={18} /></IconButton>
      </header>
      {room && (
        <div className="list-filter" role="group" aria-label={t("search.where")}>
          <button type="button" aria-pressed={inRoom} onClick={() => setInRoom(true)}>{tameName(name ?? "").slice(0, 28)}</button>
          <button type="button" aria-pressed={!inRoom} onClick={() => setInRoom(false)}>{t("search.everywhere")}</button>
        </div>
      )}
      <p className="unseen" role="status">{state === "done" ? t("search.found", { n: hits.length }) : ""}</p>
      <ul className="find-list">
        {hits.map((h) => (
          <li key={`${h.message.room}-${h.message.id}`}>
            <button type="button" className="hit" onClick={() => show(h.message.room, h.message.id)}>
              <span className="hit-top"><b className="cut"><bdi>{h.message.mine ? t("you") : tameName(h.message.name)}</bdi></b><span className="cut hit-room">{inRoom && room ? "" : tameName(h.roomName)}</span><time className="figures">{brief(h.message.time)}</time></span>
              <span className="hit-text" dir="auto"><Marked text={plain(h.message.text ?? "", 4_000)} query={query.trim()} /></span>
            </button>
          </li>
        ))}
      </ul>
      {state === "idle" && <p className="list-none">{t("search.hint")}</p>}
      {state === "done" && hits.length === 0 && <p className="list-none">{t("search.none")}</p>}
      {more && <Button kind="quiet" onClick={() => void run(more)} busy={state === "busy"}>{t("search.more")}</Button>}
    </aside>
  );
}

/** The first letters of a text, up to the end of a word. */
function opening(text: string, most: number): string {
  if (text.length <= most) return text;
  const word = text.lastIndexOf(" ", most);
  return `${text.slice(0, word > most / 2 ? word : most)} …`;
}

function Marked({ text, query }: { text: string; query: string }) {
  const at = text.toLowerCase().indexOf(query.toLowerCase());
  if (at < 0 || !query) return <>{opening(text, around * 2)}</>;
  const from = at > around ? text.indexOf(" ", at - around) + 1 : 0;
  const start = from > 0 && from <= at ? from : Math.max(0, at - around);
  const end = at + query.length;
  return <>{start > 0 ? "… " : ""}{text.slice(start, at)}<mark>{text.slice(at, end)}</mark>{opening(text.slice(end), around)}</>;
}
