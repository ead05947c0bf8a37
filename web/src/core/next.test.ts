import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DoorView, MessageView, RoomView, Settings } from "./bridge";
import { initial, keyOf, next, type Action, type AppState } from "./next";
import { counted, lastOwn, neighbour, roomList, rows, unreadTotal } from "./rows";

const open: DoorView = { state: "open", persistent: true, version: "1", build: "b", kind: "browser" };
const settings: Settings = { receipts: true, typing: true, previews: false, idleLock: 0 };
const me = { user: "me", name: "Me", device: "d", deviceName: "D", network: "n", server: "s", address: "a" };

function room(id: string, more: Partial<RoomView> = {}): RoomView {
  return { room: id, kind: "group", name: id, members: [], last: 0, activity: 0, notify: "all", verified: true, ...more };
}

function message(seq: number, more: Partial<MessageView> = {}): MessageView {
  return { id: `m${seq}`, room: "r", seq, sender: "u", name: "U", time: seq * 1000, state: "received", kind: "text", text: `text ${seq}`, ...more };
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

/** Runs actions on states that can't be changed in place. */
function run(actions: Action[], from: AppState = initial): AppState {
  return actions.reduce((state, action) => next(frozen(state), frozen(action)), from);
}

const opened: Action[] = [
  { type: "host", host: open },
  { type: "opened", me, rooms: [room("r"), room("q")], settings },
  { type: "select", room: "r" },
];
const page = (at: "newest" | "before" | "after" | "around", items: MessageView[], full = false): Action => ({ type: "page", room: "r", at, items, full });
const came = (m: MessageView): Action => ({ type: "event", event: { message: m }, now: 0 });
const gone = (id: string): Action => ({ type: "event", event: { gone: { room: "r", id } }, now: 0 });

const seqs = (state: AppState) => (state.timelines["r"]?.items ?? []).flatMap((e) => (e.message ? [e.message.seq] : []));

const anyMessage = fc.record({
  seq: fc.integer({ min: 0, max: 40 }),
  queued: fc.integer({ min: 0, max: 5 }),
  quoted: fc.option(fc.integer({ min: 1, max: 40 })),
}).map(({ seq, queued, quoted }) => ({
  ...(seq > 0 ? message(seq) : message(0, { id: `q${queued}`, mine: true, state: "queued", time: queued })),
  ...(quoted ? { quote: { id: `m${quoted}`, text: `text ${quoted}` } } : {}),
}));
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: anyMessage.map(came) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }).map((n) => gone(`m${n}`)) },
  { weight: 2, arbitrary: fc.array(anyMessage, { maxLength: 12 }).chain((items) => fc.constantFrom("newest", "before", "after").map((at) => page(at as "newest", items))) },
  { weight: 1, arbitrary: fc.constantFrom<Action>({ type: "select", room: "q" }, { type: "select", room: "r" }, { type: "select" }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }).map((n): Action => ({ type: "swept", room: "r", key: `m${n}` })) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }).map((n): Action => ({ type: "read", room: "r", upTo: n })) },
);

describe("a page that finds another core", () => {
  const again: Action = { type: "opened", me, rooms: [room("r"), room("q")], settings };
  const met: Action[] = [...opened, page("newest", [message(1)]), { type: "announce", message: message(1) }];

  it("keeps nothing of rooms that it does not read anew, nor what was read aloud", () => {
    const elsewhere = run([...met, { type: "select", room: "q" }, again]);
    expect(elsewhere.selected).toBe("q");
    expect(JSON.stringify(elsewhere)).not.toContain("text 1");
    expect(run([...met, again]).announced).toBeUndefined();
  });

  it("shows the selected room until that is read, and only what is there then", () => {
    const state = run([...met, again]);
    expect(seqs(state)).toEqual([1]);
    expect(seqs(run([page("newest", [message(2)])], state))).toEqual([2]);
  });

  it("lets go of a room that is not there any more", () => {
    const state = run([...met, { type: "opened", me, rooms: [room("q")], settings }]);
    expect(state.selected).toBeUndefined();
    expect(JSON.stringify(state)).not.toContain("text 1");
  });
});

describe("a timeline", () => {
  it("is in the order of the log without doubles, whatever comes in whatever order", () => {
    fc.assert(fc.property(fc.array(anyAction, { maxLength: 60 }), (actions) => {
      const state = run([...opened, page("newest", [])].concat(actions));
      for (const t of Object.values(state.timelines)) {
        const keys = t.items.map((e) => e.key);
        expect(new Set(keys).size).toBe(keys.length);
        const places = t.items.flatMap((e) => (e.message ? [e.message.seq || Infinity] : []));
        expect(places).toEqual(places.toSorted((a, b) => (a === b ? 0 : a - b)));
      }
    }));
  });

  it("holds no letter of what is gone", () => {
    fc.assert(fc.property(fc.array(anyAction, { maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (actions, n) => {
      const canary = `text ${n}`;
      const all = [...opened, page("newest", [message(n), message(n + 50, { kind: "reply", quote: { id: `m${n}`, text: canary } })])].concat(actions);
      const state = run([...all, gone(`m${n}`)]);
      expect(JSON.stringify(state)).not.toContain(`"${canary}"`);
    }));
  });

  it("says nothing aloud of what is gone, changed or locked away", () => {
    const said = run([...opened, page("newest", []), came(message(1)), { type: "announce", message: message(1) }]);
    expect(said.announced?.text).toBe("text 1");
    expect(run([came(message(2))], said).announced?.text).toBe("text 1");
    for (const end of [gone("m1"), came(message(1, { deleted: true, text: "" })), came(message(1, { text: "other" })), { type: "host", host: { ...open, state: "locked" } } satisfies Action]) {
      expect(JSON.stringify(run([end], said))).not.toContain("text 1");
    }
  });

  it("takes the same event twice as once", () => {
    fc.assert(fc.property(fc.array(anyMessage, { maxLength: 20 }), anyMessage, (before, m) => {
      const once = run([...opened, page("newest", []), ...before.map(came), came(m)]);
      expect(next(once, came(m)).timelines).toEqual(once.timelines);
    }));
  });

  it("gives a queued message its place once it has one", () => {
    const state = run([...opened, page("newest", [message(1), message(2)]), came(message(0, { id: "mine", mine: true, state: "queued" })), came(message(3)), came(message(4, { id: "mine", mine: true, state: "sent" }))]);
    expect(seqs(state)).toEqual([1, 2, 3, 4]);
  });

  it("does not mix what it has not read in between", () => {
    const around = run([...opened, page("around", [message(5), message(6)], true), came(message(90))]);
    expect(seqs(around)).toEqual([5, 6]);
    expect(seqs(run([page("after", [message(7), message(90)])], around))).toEqual([5, 6, 7, 90]);
  });

  it("keeps its place marked as new until the room is left", () => {
    const start: Action[] = [{ type: "host", host: open }, { type: "opened", me, rooms: [room("r", { unread: 2, firstUnread: 3, last: 4 }), room("q")], settings }, { type: "select", room: "r" }];
    const read = run([...start, page("newest", [1, 2, 3, 4].map((n) => message(n))), { type: "read", room: "r", upTo: 4 }]);
    expect(read.rooms["r"]?.unread).toBeUndefined();
    expect(read.timelines["r"]?.divider).toBe(3);
    expect(run([{ type: "select", room: "q" }], read).timelines["r"]?.divider).toBeUndefined();
  });

  it("leaves ash where a message burned until it is swept", () => {
    const burned = run([...opened, page("newest", [message(1), message(2), message(3)]), gone("m2")]);
    expect(burned.timelines["r"]?.items.map((e) => e.ash ?? false)).toEqual([false, true, false]);
    expect(seqs(run([{ type: "swept", room: "r", key: "m2" }], burned))).toEqual([1, 3]);
  });
});

describe("a locked page", () => {
  it("holds nothing that was said", () => {
    fc.assert(fc.property(fc.array(anyAction, { maxLength: 30 }), (actions) => {
      const state = run([...opened, page("newest", [message(1)]), ...actions, { type: "event", event: { state: { ...open, state: "locked" } }, now: 0 }]);
      expect(JSON.stringify(state)).not.toMatch(/text \d|"r"/);
    }));
  });
});

describe("a device that was removed", () => {
  it("is told so by its screen, and not by a message too", () => {
    const problem = { problem: "removed by another device" };
    expect(run([...opened, { type: "event", event: { ...problem, me: { ...me, removed: true } }, now: 0 }])).toMatchObject({ me: { removed: true }, toasts: [] });
    expect(run([...opened, { type: "event", event: problem, now: 0 }]).toasts).toHaveLength(1);
  });
});

describe("typing", () => {
  it("ends by itself", () => {
    const typing = run([...opened, { type: "event", event: { typing: { room: "r", user: "u", until: 5000 } }, now: 1000 }]);
    expect(typing.typing).toEqual({ r: { u: 5000 } });
    expect(run([{ type: "tick", now: 5000 }], typing).typing).toEqual({});
    expect(run([{ type: "event", event: { connection: { state: "offline", queued: 0, behind: 0 } }, now: 1000 }], typing).typing).toEqual({});
  });
});

describe("the list", () => {
  const state = run([{ type: "opened", me, settings, rooms: [
    room("old", { activity: 1, pinned: true }), room("new", { activity: 9, unread: 3, notify: "mentions", mentions: 1 }),
    room("mute", { activity: 8, unread: 5, notify: "none" }), room("mid", { activity: 5, unread: 2 }),
  ] }]);

  it("has the pinned first and then the newest", () => expect(roomList(state).map((r) => r.room)).toEqual(["old", "new", "mute", "mid"]));

  it("counts what each room's person wishes to hear of", () => {
    expect(roomList(state).map(counted)).toEqual([0, 1, 0, 2]);
    expect(unreadTotal(state)).toBe(3);
  });

  it("is walked in a circle", () => {
    expect(neighbour({ ...state, selected: "mid" }, 1, false)).toBe("old");
    expect(neighbour({ ...state, selected: "old" }, -1, false)).toBe("mid");
    expect(neighbour({ ...state, selected: "old" }, 1, true)).toBe("new");
    expect(neighbour({ ...state, selected: undefined }, 1, false)).toBe("old");
    expect(neighbour(initial, 1, false)).toBeUndefined();
  });
});

describe("rows", () => {
  it("show every message once, under its day", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 60 }), (list) => {
      const items = [...new Set(list)].sort((a, b) => a - b).map((n) => message(n, { time: n * 3_600_000, sender: `u${n % 3}` }));
      const timeline = run([...opened, page("newest", items)]).timelines["r"]!;
      const out = rows({ ...timeline, divider: 100 });
      expect(out.flatMap((r) => (r.kind === "message" ? [r.key] : []))).toEqual(items.map(keyOf));
      expect(out.filter((r) => r.kind === "unread").length).toBe(items.some((m) => (m.seq ?? 0) >= 100) ? 1 : 0);
      expect(out.filter((r) => r.kind === "day").length).toBe(new Set(items.map((m) => new Date(m.time).toDateString())).size);
      expect(new Set(out.map((r) => r.key)).size).toBe(out.length);
    }));
  });

  it("group what one person says in a row", () => {
    const items = [message(1), message(2), message(3, { sender: "v" }), message(4)];
    const out = rows(run([...opened, page("newest", items)]).timelines["r"]!);
    expect(out.flatMap((r) => (r.kind === "message" ? [[r.first, r.last]] : []))).toEqual([[true, false], [false, true], [true, true], [true, true]]);
  });
});

it("up finds the last message of one's own that can be edited", () => {
  const mine = (seq: number, more = {}) => message(seq, { mine: true, state: "sent", ...more });
  const state = run([...opened, page("newest", [mine(1), mine(2), mine(3, { deleted: true }), message(4), mine(5, { state: "failed" })])]);
  expect(lastOwn(state.timelines["r"]?.items ?? [])?.id).toBe("m2");
});
