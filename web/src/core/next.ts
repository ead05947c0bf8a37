import type { ConnectionView, DoorView, Event, LinkEvent, Me, MessageView, PersonView, RoomView, Settings } from "./bridge";

/** A stretch of one room's messages, in the order of the log, with nothing missing between them. */
export interface Timeline {
  items: Entry[];
  /** The room's first message is here. */
  oldest: boolean;
  /** The room's last message is here: what arrives is put behind it. */
  newest: boolean;
  /** Where the line "new" stands; stays until the room is left. */
  divider?: number;
  /** The message that the screen was asked to show; `turn` differs from ask to ask. */
  focus?: { key: string; turn: number };
}

/** A message, or the place where one has just burned: nothing of it is left but where it stood. */
export interface Entry {
  key: string;
  message?: MessageView;
  ash?: boolean;
  mine?: boolean;
}

export interface Toast {
  id: number;
  kind: "info" | "problem";
  text: string;
}

export interface AppState {
  /** Unset until the core has said how things stand. */
  host?: DoorView;
  me?: Me;
  loaded: boolean;
  /** Why the core can't be asked at all, in words; the page has nothing else to show then. */
  trouble?: string;
  connection: ConnectionView;
  rooms: Record<string, RoomView>;
  timelines: Record<string, Timeline>;
  people: readonly PersonView[];
  settings?: Settings;
  /** room → person → until when. */
  typing: Record<string, Record<string, number>>;
  selected?: string;
  /** Rooms that were open before, the last first; the quick switcher starts with them. */
  recent: string[];
  link?: LinkEvent;
  /** What is read aloud to those who hear the page. It goes with the message. */
  announced?: MessageView;
  toasts: Toast[];
  turn: number;
}

export type Action =
  | { type: "event"; event: Event; now: number }
  | { type: "host"; host: DoorView }
  | { type: "trouble"; text: string }
  | { type: "opened"; me: Me; rooms: readonly RoomView[]; settings: Settings }
  | { type: "people"; people: readonly PersonView[] }
  | { type: "settings"; settings: Settings }
  | { type: "select"; room?: string }
  | { type: "page"; room: string; at: "newest" | "before" | "after" | "around"; items: readonly MessageView[]; full: boolean; focus?: string }
  | { type: "swept"; room: string; key: string }
  | { type: "read"; room: string; upTo: number }
  | { type: "announce"; message: MessageView }
  | { type: "tick"; now: number }
  | { type: "toast"; kind: Toast["kind"]; text: string }
  | { type: "untoast"; id: number };

export const initial: AppState = {
  loaded: false,
  connection: { state: "connecting", queued: 0, behind: 0 },
  rooms: {},
  timelines: {},
  people: [],
  typing: {},
  recent: [],
  toasts: [],
  turn: 0,
};

/** How many rooms keep their messages in the page's memory. */
const kept = 8;
const toastsKept = 3;

/** The one place where the screen's state changes. Pure: same state and action, same result. */
export function next(state: AppState, action: Action): AppState {
  switch (action.type) {
    case "event":
      return onEvent(state, action.event, action.now);
    case "host":
      return onHost(state, action.host);
    case "trouble":
      return { ...initial, trouble: action.text, toasts: state.toasts, turn: state.turn };
    case "opened":
      return onOpened(state, action);
    case "people":
      return { ...state, people: action.people };
    case "settings":
      return { ...state, settings: action.settings };
    case "select":
      return onSelect(state, action.room);
    case "page":
      return onPage(state, action);
    case "swept":
      return editTimeline(state, action.room, (t) => ({
        ...t,
        items: t.items.filter((e) => !(e.ash && e.key === action.key)),
      }));
    case "read":
      return onRead(state, action.room, action.upTo);
    case "announce":
      return { ...state, announced: action.message };
    case "tick":
      return { ...state, typing: stillTyping(state.typing, action.now) };
    case "toast":
      return withToast(state, action.kind, action.text);
    case "untoast":
      return { ...state, toasts: state.toasts.filter((t) => t.id !== action.id) };
  }
}

/** What was kept of before may lack what came meanwhile, and have what is gone: the selected room is read anew, the others when they are selected. */
function onOpened(state: AppState, { me, rooms, settings }: Extract<Action, { type: "opened" }>): AppState {
  const selected = rooms.find((r) => r.room === state.selected)?.room;
  const there = selected && state.timelines[selected];
  return {
    ...state,
    me,
    settings,
    loaded: true,
    rooms: Object.fromEntries(rooms.map((r) => [r.room, r])),
    timelines: there ? { [selected]: there } : {},
    selected,
    announced: undefined,
  };
}

function onHost(state: AppState, host: DoorView): AppState {
  if (host.state === "open") return { ...state, host, trouble: undefined };
  // Locked: nothing that was readable stays in the page's memory.
  return { ...initial, host, link: state.link, toasts: state.toasts, turn: state.turn };
}

function onEvent(state: AppState, event: Event, now: number): AppState {
  if (event.state) state = onHost(state, event.state);
  if (event.link) state = { ...state, link: event.link };
  if (event.settings) state = { ...state, settings: event.settings };
  if (event.me) state = { ...state, me: event.me };
  // Without a server nobody tells who has stopped writing.
  if (event.connection) state = { ...state, connection: event.connection, typing: event.connection.state === "offline" ? {} : state.typing };
  if (event.online !== undefined && !event.connection) {
    state = { ...state, connection: { ...state.connection, state: event.online ? "online" : "offline" } };
  }
  if (event.room) state = { ...state, rooms: { ...state.rooms, [event.room.room]: event.room } };
  if (event.message) state = onMessage(doneTyping(state, event.message), event.message);
  if (event.gone) state = onGone(state, event.gone.room, event.gone.id);
  if (event.typing) {
    const { room, user, until } = event.typing;
    state = { ...state, typing: { ...state.typing, [room]: { ...state.typing[room], [user]: until } } };
    state = { ...state, typing: stillTyping(state.typing, now) };
  }
  // That this device was removed has a screen of its own.
  if (event.problem && !event.me?.removed) state = withToast(state, "problem", event.problem);
  return state;
}

function onSelect(state: AppState, room: string | undefined): AppState {
  if (room === state.selected) return state;
  let timelines = state.timelines;
  const left = state.selected;
  if (left !== undefined && timelines[left]) {
    // The line "new" has done its work once the room is left, and a stretch
    // without the newest would have to be caught up with.
    const { divider: _, focus: __, ...rest } = timelines[left];
    timelines = { ...timelines, [left]: { ...rest, items: rest.items.filter((e) => !e.ash) } };
    if (!rest.newest) delete timelines[left];
  }
  if (room === undefined) return { ...state, timelines, selected: undefined };
  const recent = [room, ...state.recent.filter((r) => r !== room)];
  for (const old of recent.slice(kept)) {
    if (timelines[old]) {
      timelines = { ...timelines };
      delete timelines[old];
    }
  }
  const opened = timelines[room];
  const view = state.rooms[room];
  if (opened && view?.unread && view.firstUnread) {
    timelines = { ...timelines, [room]: { ...opened, divider: view.firstUnread } };
  }
  return { ...state, timelines, selected: room, recent };
}

function onPage(state: AppState, page: Extract<Action, { type: "page" }>): AppState {
  const had = state.timelines[page.room];
  const entries = page.items.map(entry);
  let timeline: Timeline;
  if (page.at === "before" && had) {
    timeline = { ...had, items: merge(entries, had.items), oldest: !page.full };
  } else if (page.at === "after" && had) {
    timeline = { ...had, items: merge(had.items, entries), newest: !page.full };
  } else if (page.at === "around") {
    timeline = { items: merge(entries, []), oldest: false, newest: false, divider: had?.divider };
  } else {
    timeline = { items: merge(entries, []), oldest: !page.full, newest: true, divider: had?.divider };
  }
  const room = state.rooms[page.room];
  if (timeline.divider === undefined && room?.unread && room.firstUnread && !had) {
    timeline = { ...timeline, divider: room.firstUnread };
  }
  let turn = state.turn;
  if (page.focus !== undefined) timeline = { ...timeline, focus: { key: page.focus, turn: ++turn } };
  return { ...state, turn, timelines: { ...state.timelines, [page.room]: timeline } };
}

function onMessage(state: AppState, message: MessageView): AppState {
  // Who hears the page has heard it: what it said before is not kept beside what it says now.
  state = unannounced(state, message.room, message.id);
  return editTimeline(state, message.room, (t) => {
    const key = keyOf(message);
    const at = t.items.findIndex((e) => e.key === key);
    if (at >= 0) {
      const items = t.items.slice();
      items[at] = entry(message);
      return { ...t, items: placed(items) };
    }
    const first = t.items.find((e) => e.message?.seq)?.message?.seq ?? 0;
    if (!t.newest || (message.seq && message.seq < first && !t.oldest)) return t; // outside of the stretch: read when it is scrolled to
    return { ...t, items: placed([...t.items, entry(message)]) };
  });
}

/** Whose message is here writes it no more. */
function doneTyping(state: AppState, { room, sender }: MessageView): AppState {
  if (state.typing[room]?.[sender] === undefined) return state;
  const { [sender]: _, ...others } = state.typing[room];
  return { ...state, typing: { ...state.typing, [room]: others } };
}

/** A burned message leaves everything that shows it at once: timeline, quotes, list. */
function onGone(state: AppState, room: string, id: string): AppState {
  const view = state.rooms[room];
  if (view?.lastMessage?.id === id) {
    const { lastMessage: _, ...rest } = view;
    state = { ...state, rooms: { ...state.rooms, [room]: rest } };
  }
  state = unannounced(state, room, id);
  return editTimeline(state, room, (t) => ({
    ...t,
    items: t.items.map((e) => {
      if (e.key === id && e.message) return { key: e.key, ash: true, mine: e.message.mine };
      if (e.message?.quote?.id === id) {
        return { ...e, message: { ...e.message, quote: { ...e.message.quote, text: "", gone: true } } };
      }
      return e;
    }),
  }));
}

function unannounced(state: AppState, room: string, id: string): AppState {
  return state.announced?.room === room && state.announced.id === id ? { ...state, announced: undefined } : state;
}

function onRead(state: AppState, room: string, upTo: number): AppState {
  const view = state.rooms[room];
  if (!view?.unread || upTo < view.last) return state;
  const { unread: _, mentions: __, firstUnread: ___, ...rest } = view;
  return { ...state, rooms: { ...state.rooms, [room]: rest } };
}

function editTimeline(state: AppState, room: string, edit: (t: Timeline) => Timeline): AppState {
  const t = state.timelines[room];
  return t ? { ...state, timelines: { ...state.timelines, [room]: edit(t) } } : state;
}

function stillTyping(typing: AppState["typing"], now: number): AppState["typing"] {
  const rooms = Object.entries(typing).map(([room, users]) => {
    return [room, Object.fromEntries(Object.entries(users).filter(([, until]) => until > now))] as const;
  });
  return Object.fromEntries(rooms.filter(([, users]) => Object.keys(users).length > 0));
}

function withToast(state: AppState, kind: Toast["kind"], text: string): AppState {
  if (state.toasts.some((t) => t.text === text)) return state;
  const turn = state.turn + 1;
  return { ...state, turn, toasts: [...state.toasts, { id: turn, kind, text }].slice(-toastsKept) };
}

/** What a line is known by: its id, or its place where it has none. */
export function keyOf(message: MessageView): string {
  return message.id || `@${message.seq ?? 0}`;
}

function entry(message: MessageView): Entry {
  return { key: keyOf(message), message };
}

/** Joins two stretches; what both have is taken from the second. */
function merge(a: Entry[], b: Entry[]): Entry[] {
  const keys = new Map<string, Entry>();
  for (const e of [...a, ...b]) keys.set(e.key, e);
  return placed([...keys.values()]);
}

/** By place in the log, what waits to be sent last, by time; ash stays where it was. */
function placed(items: Entry[]): Entry[] {
  let place = 0;
  const ranked = items.map((e, at) => {
    if (e.message) place = e.message.seq || Number.MAX_SAFE_INTEGER;
    return { e, at, place, time: e.message?.seq ? 0 : (e.message?.time ?? 0) };
  });
  ranked.sort((a, b) => a.place - b.place || a.time - b.time || a.at - b.at);
  return ranked.map((r) => r.e);
}
