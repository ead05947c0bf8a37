import { Check, Flame, Hourglass, Megaphone, Pencil, SendHorizontal, Smile, X } from "lucide-react";
import { Menu } from "@base-ui/react/menu";
import { Popover } from "@base-ui/react/popover";
import { lazy, Suspense, useEffect, useId, useMemo, useRef, useState } from "react";
import type { RoomView } from "../../core/bridge";
import { fuzzy } from "../../core/fuzzy";
import { lastOwn } from "../../core/rows";
import { useText } from "../../i18n";
import { duration } from "../../i18n/format";
import { useApp, useLook, useSession, useSteady } from "../context";
import { Avatar, IconButton, TrustMark } from "../kit";
import { MenuPlace } from "../kit/menu";
import { keyNames, pressed } from "../keys";
import { plain, tameName } from "../message/text";
import { makeEditor, type Editor, type Query } from "./editor";
import type { Writing } from "./parts";

const EmojiPicker = lazy(() => import("../emoji/picker"));

/** Bytes of text that a message may have; the count is shown when this much is left. */
const limit = 64 << 10;
const warnAt = 4 << 10;
const draftAfter = 700;
/** How long a single message may be read once it was, and how long it may stay at all. */
const burns = [10, 60, 300, 3_600, 86_400];
const lives = [300, 3_600, 86_400, 604_800, 2_592_000];

/** A message's own clocks, in seconds; what is 0 is left to the room. */
interface OwnTime {
  burn: number;
  expire: number;
}

const asRoom: OwnTime = { burn: 0, expire: 0 };

interface ComposerProps {
  room: RoomView;
  writing: Writing;
  change: (writing: Writing) => void;
}

export default function Composer({ room, writing, change }: ComposerProps) {
  const t = useText();
  const session = useSession();
  const { look } = useLook();
  const id = useId();
  const network = useApp((s) => s.me?.network ?? "");
  const offline = useApp((s) => s.connection.state === "offline");
  const box = useRef<HTMLDivElement>(null);
  const [editor, setEditor] = useState<Editor>();
  const [query, setQuery] = useState<Query>();
  const [picked, setPicked] = useState(0);
  const [bytes, setBytes] = useState(0);
  const [own, setOwn] = useState(asRoom);
  const [faces, setFaces] = useState(false);
  const saving = useRef<ReturnType<typeof setTimeout>>(undefined);
  const edited = useRef(false);
  const unsaved = useRef("");
  const choices = useChoices(room, query);

  const changed = useSteady(() => {
    if (!editor) return;
    const text = editor.read();
    setBytes(new TextEncoder().encode(text).length);
    if (writing.edit) return;
    if (text && text !== room.draft) session.typing(room.room);
    clearTimeout(saving.current);
    unsaved.current = text;
    saving.current = setTimeout(() => {
      saving.current = undefined;
      session.draft(room.room, text, writing.reply?.id);
    }, draftAfter);
  });
  const asked = useSteady((q: Query | undefined) => {
    if (q?.text !== query?.text || q?.kind !== query?.kind) setPicked(0);
    setQuery(q);
  });

  const send = useSteady(async () => {
    if (!editor || editor.empty() || bytes > limit) return;
    const text = editor.read();
    clearTimeout(saving.current);
    saving.current = undefined;
    if (writing.edit) {
      const { edit } = writing;
      change({});
      if (text !== edit.text) void session.wish("edit", { room: room.room, message: edit.id, text });
      editor.write(room.draft ?? "");
      return;
    }
    editor.write("");
    setBytes(0);
    change({});
    setOwn(asRoom);
    const sent = await session.send(room.room, text, { replyTo: writing.reply?.id, ...(own.burn ? { burn: own.burn } : {}), ...(own.expire ? { expire: own.expire } : {}) });
    // What could not even be queued goes back to where it was written.
    if (!sent) {
      if (editor.empty()) setOwn(own);
      editor.write(editor.empty() ? text : `${text}\n${editor.read()}`);
    }
  });

  const choose = useSteady((at: number) => {
    const choice = choices[at];
    if (!choice || !query || !editor) return;
    if (choice.all) editor.mention(`r/${room.room}`, choice.name, query.length);
    else if (choice.user) editor.mention(`u/${encodeURIComponent(choice.user)}`, choice.name, query.length);
    else editor.insert(choice.glyph ?? "", query.length);
    setQuery(undefined);
  });

  const key = useSteady((e: KeyboardEvent): boolean => {
    if (choices.length > 0 && !e.ctrlKey && !e.metaKey && !e.altKey) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (step) return setPicked((picked + step + choices.length) % choices.length), true;
      if ((e.key === "Enter" && !e.shiftKey) || e.key === "Tab") return choose(picked), true;
      if (e.key === "Escape") return setQuery(undefined), true;
    }
    if (e.key === "Enter" && !e.altKey) {
      const touch = matchMedia("(pointer: coarse)").matches && !matchMedia("(any-pointer: fine)").matches;
      const wish = look.sendKey === "enter" && !touch ? !e.shiftKey && !e.ctrlKey && !e.metaKey : pressed(e, "Mod+Enter");
      if (wish) return void send(), true;
    }
    if (e.key === "ArrowUp" && editor?.empty() && !writing.edit && !e.shiftKey && !e.altKey) {
      const own = lastOwn(session.state.timelines[room.room]?.items ?? []);
      if (own) return change({ edit: own }), true;
    }
    if (e.key === "Escape" && (writing.edit || writing.reply)) return cancel(), true;
    if (pressed(e, "Mod+Shift+J")) return setFaces(true), true;
    return false;
  });
  const cancel = useSteady(() => {
    if (writing.edit) editor?.write(room.draft ?? "");
    change({});
    editor?.focus();
  });

  useEffect(() => {
    if (!box.current) return undefined;
    const made = makeEditor(box.current, network, { changed, query: asked, key });
    made.write(room.draft ?? "");
    setEditor(made);
    setBytes(new TextEncoder().encode(room.draft ?? "").length);
    const flush = () => {
      if (!saving.current) return;
      clearTimeout(saving.current);
      saving.current = undefined;
      session.draft(room.room, unsaved.current); // not what stands there: that may be a message's text, which must go with it
    };
    addEventListener("pagehide", flush);
    return () => {
      // Leaving the room keeps what was written, without waiting for the pause.
      flush();
      removeEventListener("pagehide", flush);
      made.close();
    };
  }, [network, changed, asked, key]);
  useEffect(() => {
    if (!editor) return;
    if (writing.edit) editor.write(writing.edit.text ?? "");
    else if (edited.current) editor.write(room.draft ?? ""); // what stood there was the message's, which may be gone
    edited.current = writing.edit !== undefined;
    if (writing.edit || writing.reply || matchMedia("(any-pointer: fine)").matches) editor.focus();
  }, [editor, writing.edit?.id, writing.reply?.id]);
  useEffect(() => {
    const focus = () => editor?.focus();
    addEventListener("sconce-write", focus);
    return () => removeEventListener("sconce-write", focus);
  }, [editor]);
  const left = limit - bytes;
  const name = tameName(room.name);
  const placeholder = room.kind === "direct" ? t("composer.to", { name }) : t("composer.in", { name });
  return (
    <div className="composer" role="region" aria-label={t("composer.label")}>
      {choices.length > 0 && query && (
        <ul className="popup completions" role="listbox" id={`${id}-list`} aria-label={t(query.kind === "mention" ? "composer.people" : "composer.emoji")}>
          {choices.map((c, i) => (
            <li key={c.all ? "" : c.user ?? c.glyph} id={`${id}-${i}`} role="option" aria-selected={i === picked} className="person" onPointerDown={(e) => { e.preventDefault(); choose(i); }}>
              {c.user ? <Avatar id={c.user} name={c.name} size="1.75rem" /> : <span className="completion-face">{c.all ? <Megaphone size={18} aria-hidden="true" /> : c.glyph}</span>}
              <span className="person-text">
                <bdi className="cut">{c.glyph ? `:${c.name}:` : tameName(c.name)}</bdi>
                {c.all && <span className="person-note">{t("mention.all.text", { n: room.members.length - 1 })}</span>}
              </span>
              {c.trust && <TrustMark trust={c.trust} quiet />}
            </li>
          ))}
        </ul>
      )}
      {(writing.reply || writing.edit) && (
        <div className="about">
          {writing.edit ? <Pencil size={15} aria-hidden="true" /> : null}
          <div className="about-text">
            <b>{writing.edit ? t("composer.editing") : t("composer.replying", { name: writing.reply?.mine ? t("you") : tameName(writing.reply?.name ?? "") })}</b>
            <span className="cut" dir="auto">{plain((writing.edit ?? writing.reply)?.text ?? "", 140)}</span>
          </div>
          <IconButton small label={t("cancel")} keys="Esc" onClick={cancel}><X size={16} /></IconButton>
        </div>
      )}
      <div className="composer-box">
        <Popover.Root open={faces} onOpenChange={setFaces}>
          <Popover.Trigger render={<button type="button" className="icon-button" aria-label={t("composer.face")}><Smile size={20} /></button>} />
          <Popover.Portal>
            <Popover.Positioner className="positioner" side="top" align="start" sideOffset={10}>
              <Popover.Popup className="popup" aria-label={t("composer.face")}>
                <Suspense fallback={<div className="picker" />}>
                  <EmojiPicker pick={(e) => { setFaces(false); editor?.insert(e); editor?.focus(); }} />
                </Suspense>
              </Popover.Popup>
            </Popover.Positioner>
          </Popover.Portal>
        </Popover.Root>
        <div className="editor-space">
          <div ref={box} className="editor" contentEditable suppressContentEditableWarning role="textbox" aria-multiline="true" aria-label={placeholder} dir="auto" spellCheck
            aria-autocomplete="list" aria-controls={choices.length > 0 ? `${id}-list` : undefined} aria-activedescendant={choices.length > 0 ? `${id}-${picked}` : undefined} data-empty={bytes === 0 || undefined} />
          {bytes === 0 && <div className="editor-hint cut" aria-hidden="true">{placeholder}</div>}
        </div>
        {!writing.edit && <Life room={room} own={own} change={setOwn} />}
        <IconButton className={bytes > 0 && left >= 0 ? "send send-ready" : "send"} label={t(writing.edit ? "composer.save" : "composer.send")} keys={keyNames(look.sendKey === "enter" ? "Enter" : "Mod+Enter")} disabled={bytes === 0 || left < 0} onClick={() => void send()}>
          <SendHorizontal size={19} className="flip" />
        </IconButton>
      </div>
      {(left < warnAt || offline) && (
        <div className="composer-foot" role="status">
          {offline && <span>{t("composer.offline")}</span>}
          {left < warnAt && <span className={left < 0 ? "over figures" : "figures"}>{left < 0 ? t("composer.over", { n: -left }) : t("composer.left", { n: left })}</span>}
        </div>
      )}
    </div>
  );
}

/** When the next message goes: once it was read, and at the latest. The room's own clocks bound both. */
function Life({ room, own, change }: { room: RoomView; own: OwnTime; change: (own: OwnTime) => void }) {
  const t = useText();
  const burn = own.burn || room.burn || 0;
  const expire = own.expire || room.expire || 0;
  const says = [burn && t("life.label", { time: duration(burn, "long") }), expire && t("timer.expire", { time: duration(expire, "long") })].filter(Boolean).join(" · ") || t("life.none");
  const Icon = expire && !burn ? Hourglass : Flame;
  return (
    <Menu.Root>
      <Menu.Trigger render={<button type="button" className={burn ? "life life-set" : "life"} title={says} />}>
        <Icon size={burn || !expire ? 19 : 17} aria-hidden="true" />
        {(burn || expire) > 0 && <span className="figures" aria-hidden="true">{duration(burn || expire, "narrow")}</span>}
        <span className="unseen">{says}</span>
      </Menu.Trigger>
      <MenuPlace side="top" align="end" sideOffset={10}>
        <Menu.Popup className="popup menu life-menu">
          <Lives title={t("life.title")} room={room.burn} none={t("life.keep")} options={burns} value={own.burn} change={(b) => change({ ...own, burn: b })} />
          <div className="menu-line" role="separator" />
          <Lives title={t("life.expire")} room={room.expire} none={t("timer.never")} options={lives} value={own.expire} change={(e) => change({ ...own, expire: e })} />
          {room.burn || room.expire ? <p className="menu-label life-bound">{t("life.bound")}</p> : null}
        </Menu.Popup>
      </MenuPlace>
    </Menu.Root>
  );
}

function Lives({ title, room, none, options, value, change }: { title: string; room?: number; none: string; options: number[]; value: number; change: (seconds: number) => void }) {
  const t = useText();
  return (
    <Menu.Group>
      <Menu.GroupLabel className="menu-label">{title}</Menu.GroupLabel>
      <Menu.RadioGroup value={value} onValueChange={change}>
        {[0, ...options.filter((s) => s < (room || Infinity))].map((s) => (
          <Menu.RadioItem key={s} className="menu-item" value={s} closeOnClick>
            {s ? duration(s, "long") : room ? t("life.room", { time: duration(room, "long") }) : none}
            <Menu.RadioItemIndicator className="menu-item-hint"><Check size={15} /></Menu.RadioItemIndicator>
          </Menu.RadioItem>
        ))}
      </Menu.RadioGroup>
    </Menu.Group>
  );
}

interface Choice {
  name: string;
  user?: string;
  glyph?: string;
  /** Everyone in the room. */
  all?: boolean;
  trust?: RoomView["members"][number]["trust"];
}

const shownChoices = 7;
type EmojiRow = [glyph: string, label: string, names: string[]];

/** What could complete the word that is being typed: people of the room, or emoji, whose names are read when first needed. */
function useChoices(room: RoomView, query: Query | undefined): Choice[] {
  const t = useText();
  const me = useApp((s) => s.me?.user);
  const [emoji, setEmoji] = useState<EmojiRow[]>([]);
  const faces = query?.kind === "emoji";
  useEffect(() => {
    if (!faces || emoji.length > 0) return;
    void import("virtual:emoji/en").then((m) => setEmoji(m.emoji));
  }, [faces, emoji.length]);
  return useMemo(() => {
    if (!query) return [];
    const found: (Choice & { score: number })[] = [];
    if (query.kind === "mention") {
      for (const m of room.members) {
        const fit = m.user !== me && fuzzy(query.text, m.name);
        if (fit) found.push({ name: m.name, user: m.user, trust: m.trust, score: fit.score });
      }
      // Last, so that nobody calls everyone by a slip; but first for who typed just that.
      const name = t("mention.all");
      const fit = room.kind === "group" && room.admin && (fuzzy(query.text, name) ?? fuzzy(query.text, "all"));
      const best = found.sort((a, b) => b.score - a.score).slice(0, fit ? shownChoices - 1 : shownChoices);
      const everyone = fit ? [{ name, all: true }] : [];
      return ["all", name].includes(query.text.toLowerCase()) ? [...everyone, ...best] : [...best, ...everyone];
    }
    const wanted = query.text.toLowerCase();
    for (const [glyph, , names] of emoji) {
      const name = names.find((n) => n.startsWith(wanted)) ?? names.find((n) => n.includes(wanted));
      if (name) found.push({ name, glyph, score: (name.startsWith(wanted) ? 100 : 0) - name.length });
    }
    return found.sort((a, b) => b.score - a.score).slice(0, shownChoices);
  }, [query?.kind, query?.text, emoji, room.members, room.admin, me, t]);
}
