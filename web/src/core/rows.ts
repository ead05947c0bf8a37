import type { MessageView, RoomView } from "./bridge";
import type { AppState, Entry, Timeline } from "./next";

/** What the timeline draws, top to bottom. */
export type Row =
  | { kind: "start"; key: string }
  | { kind: "day"; key: string; time: number }
  | { kind: "unread"; key: string }
  | { kind: "notice"; key: string; message: MessageView }
  | { kind: "ash"; key: string; mine: boolean }
  | { kind: "message"; key: string; message: MessageView; first: boolean; last: boolean };

const together = 5 * 60_000;

/** Cuts a timeline into rows: a line for each day and for what is new, and messages of one person in a row grouped. */
export function rows(timeline: Timeline): Row[] {
  const out: Row[] = timeline.oldest ? [{ kind: "start", key: "start" }] : [];
  let day = "";
  let before: MessageView | undefined;
  let divided = false;
  for (const e of timeline.items) {
    if (!e.message) {
      out.push({ kind: "ash", key: `ash-${e.key}`, mine: e.mine ?? false });
      continue;
    }
    const m = e.message;
    const date = new Date(m.time).toDateString();
    if (date !== day) {
      out.push({ kind: "day", key: `day-${date}-${e.key}`, time: m.time });
      day = date;
      before = undefined;
    }
    if (!divided && timeline.divider && m.seq && m.seq >= timeline.divider) {
      out.push({ kind: "unread", key: "unread" });
      divided = true;
      before = undefined;
    }
    if (isNotice(m)) {
      out.push({ kind: "notice", key: e.key, message: m });
      before = undefined;
      continue;
    }
    const joined = before !== undefined && before.sender === m.sender && m.time - before.time < together;
    const previous = out.at(-1);
    if (joined && previous?.kind === "message") previous.last = false;
    out.push({ kind: "message", key: e.key, message: m, first: !joined, last: true });
    before = m;
  }
  return out;
}

export function isNotice(m: MessageView): boolean {
  return m.kind === "notice" || m.kind === "gap";
}

/** The rooms as the list shows them: pinned ones first, then by what happened last. */
export function roomList(state: AppState): RoomView[] {
  return Object.values(state.rooms).sort(
    (a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false) || (b.activity ?? 0) - (a.activity ?? 0) || (a.room < b.room ? -1 : 1),
  );
}

/** What a room adds to the count in the title: all that is unread, only mentions, or nothing, as its person wishes. */
export function counted(room: RoomView): number {
  if (room.notify === "none") return 0;
  return room.notify === "mentions" ? (room.mentions ?? 0) : (room.unread ?? 0);
}

export function unreadTotal(state: AppState): number {
  return Object.values(state.rooms).reduce((n, r) => n + counted(r), 0);
}

/** The room before or after the selected one in the list, of all or of those with something unread; goes round. */
export function neighbour(state: AppState, step: 1 | -1, unread: boolean): string | undefined {
  const list = roomList(state);
  const at = list.findIndex((r) => r.room === state.selected);
  for (let i = 1; i <= list.length; i++) {
    const from = at < 0 && step < 0 ? 0 : at;
    const r = list[(((from + step * i) % list.length) + list.length) % list.length];
    if (r && (!unread || (r.unread ?? 0) > 0) && r.room !== state.selected) return r.room;
  }
  return undefined;
}

/** The last message of one's own that can still be edited. */
export function lastOwn(items: Entry[]): MessageView | undefined {
  return items.findLast((e) => e.message && editable(e.message))?.message;
}

/** Whether a message of one's own waits no more and is not known to stand in the room: it can be sent again, or dropped. */
export function givenUp(m: MessageView): boolean {
  return m.state === "failed" || m.state === "unknown";
}

export function editable(m: MessageView): boolean {
  return Boolean(m.mine && m.id && !m.deleted && !givenUp(m) && (m.kind === "text" || m.kind === "reply"));
}

/** The person at the other end of a direct room. */
export function other(room: RoomView, me: string | undefined): RoomView["members"][number] | undefined {
  return room.kind === "direct" ? room.members.find((m) => m.user !== me) : undefined;
}
