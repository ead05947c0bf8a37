import { CoreError, type Door, type Event, type Methods, type Notify, type DoorView, type Params, type Phase, type Result, type Settings } from "../core/bridge";
import type * as bridge from "../core/bridge";

/** A view that the fake core may still change. */
type Loose<T> = T extends object ? { -readonly [K in keyof T]: Loose<T[K]> } : T;
type Me = Loose<bridge.Me>;
type DeviceView = Loose<bridge.DeviceView>;
type MessageView = Loose<bridge.MessageView>;
type PersonView = Loose<bridge.PersonView>;
type Revision = Loose<bridge.EarlierView>;
type RoomView = Loose<bridge.RoomView>;
type SearchHit = Loose<bridge.Hit>;

export interface FakeOptions {
  state?: Phase;
  passkey?: boolean;
  persistent?: boolean;
  /** How long a call takes, in milliseconds. */
  latency?: number;
  /** Whether the others write of their own accord. */
  lively?: boolean;
  connection?: "online" | "offline" | "connecting";
  /** What becomes of every message sent. */
  refuses?: "failed" | "unknown";
  removed?: boolean;
}

type Notice = NonNullable<bridge.MessageView["notice"]>;

interface Room extends RoomView {
  log: MessageView[];
  replyTo?: string;
}

type Handlers = { [M in keyof Methods]: (params: Params<M>) => Result<M> | Promise<Result<M>> };

const words = "lantern harbour ledger winter signal copper anchor meadow violet thunder paper orbit".split(" ");
export const recoveryKey = "SR1-7QK4M-X2ZPA-93TWD-LLF6H-0R8CE-VN5YB-GJ1QS-4HKT2";
export const passphrase = "lantern harbour ledger";

/** A whole core made of pretence: people who answer, clocks that burn, lines that drop. */
export class FakeDoor implements Door {
  readonly rooms = new Map<string, Room>();
  people: PersonView[] = [];
  me: Me = {
    user: "u-mira", name: "Mira Halden", device: "d-this", deviceName: "Firefox on Linux", network: "f7yqk2m4nzt6",
    server: "https://chat.skerry.example", address: "https://chat.skerry.example/#device1.f7yqk2m4nzt6.u-mira",
  };
  devices: DeviceView[] = [];
  settings: Settings = { receipts: true, typing: true, previews: false, idleLock: 900 };
  revisions = new Map<string, Revision[]>();

  #listeners = new Set<(e: Event) => void>();
  #host: DoorView;
  #online: "online" | "offline" | "connecting";
  #timers = new Set<ReturnType<typeof setTimeout>>();
  #count = 0;
  #linking?: (error?: CoreError) => void;
  #nonces = new Map<string, MessageView>();
  #passphrase = passphrase;

  constructor(readonly options: FakeOptions = {}) {
    this.#online = options.connection ?? "online";
    this.me.removed = options.removed;
    this.#host = {
      state: options.state ?? "open",
      persistent: options.persistent ?? true,
      passphrase: true,
      version: "0.2.0",
      build: "b3f0c1d29a7745e8b6c2f41d",
      kind: "browser",
      ...(options.passkey ? { passkey: { credential: "AAAA", salt: "AAAA" } } : {}),
    };
    const beat = setInterval(() => this.#burn(), 200);
    this.#timers.add(beat as unknown as ReturnType<typeof setTimeout>);
  }

  // The door itself.

  async call<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>> {
    await this.#wait(this.options.latency ?? 15);
    if (signal?.aborted) throw new CoreError("canceled", "canceled");
    const before: (keyof Methods)[] = ["state", "join", "link", "cancel", "recover", "unlock", "lock", "forget", "invite"];
    if (this.#host.state !== "open" && !before.includes(method)) throw new CoreError("locked", "the store is locked");
    signal?.addEventListener("abort", () => this.#linking?.(new CoreError("canceled", "canceled")));
    const handle = this.#handlers[method] as (p: Params<M>) => Result<M> | Promise<Result<M>>;
    return structuredClone(await handle(params));
  }

  subscribe(listener: (e: Event) => void): () => void {
    this.#listeners.add(listener);
    this.#tellConnection();
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const t of this.#timers) clearTimeout(t);
    this.#listeners.clear();
  }

  emit(event: Event): void {
    const copy = structuredClone(event);
    for (const l of this.#listeners) l(copy);
  }

  connection(state: "online" | "offline" | "connecting"): void {
    this.#online = state;
    this.#tellConnection();
    if (state !== "online") return;
    for (const r of this.rooms.values()) {
      for (const m of r.log) if (m.state === "queued") void this.#deliver(r, m);
    }
  }

  #tellConnection(): void {
    const queued = [...this.rooms.values()].flatMap((r) => r.log).filter((m) => m.state === "queued").length;
    this.emit({ connection: { state: this.#online, queued, behind: 0 } });
  }

  // Making a world; the stories use these.

  person(user: string, name: string, trust: PersonView["trust"] = "unverified", devices = 2): this {
    this.people.push({ user, name, trust, devices, ...(user === this.me.user ? { me: true } : {}) });
    return this;
  }

  room(room: string, name: string, users: readonly string[], extra: Partial<RoomView> = {}): Room {
    const members = [this.me.user, ...users].map((user, i) => {
      const p = this.#person(user);
      return { user, name: p.name, trust: p.trust, devices: p.devices ?? 1, admin: i < 1 && extra.kind !== "direct" };
    });
    const made: Room = {
      room, kind: "group", name, members, admin: true, last: 0, activity: 0, notify: "all",
      verified: members.every((m) => m.user === this.me.user || m.trust === "verified"), log: [], ...extra,
    };
    this.rooms.set(room, made);
    return made;
  }

  direct(user: string, extra: Partial<RoomView> = {}): Room {
    return this.room(`r-${user}`, this.#person(user).name, [user], { kind: "direct", ...extra });
  }

  /** Puts a message into a room's log, `ago` minutes before now. */
  say(room: Room, user: string, text: string, ago: number, extra: Partial<MessageView> = {}): MessageView {
    const mine = user === this.me.user;
    const m: MessageView = {
      id: `m-${++this.#count}`, room: room.room, seq: ++room.last, sender: user, name: this.#person(user).name,
      time: Date.now() - ago * 60_000, state: mine ? "read" : "received", kind: extra.replyTo ? "reply" : "text", text,
      ...(mine ? { mine } : {}), ...extra,
    };
    if (extra.id === "") m.name = "";
    const target = extra.replyTo && room.log.find((x) => x.id === extra.replyTo);
    if (target) m.quote = { id: target.id, sender: target.sender, name: target.name, text: (target.text ?? "").slice(0, 280) };
    const named = [...(m.text ?? "").matchAll(/mimi:\/\/[^/]+\/u\/([^)\s]+)\)/g)].map((x) => x[1]);
    m.mentions ??= room.members.filter((x) => named.includes(x.user)).map((x) => ({ user: x.user, name: x.name }));
    if (m.text?.includes(`/r/${room.room})`) && room.members.some((x) => x.user === user && x.admin)) m.mentionsAll = true;
    room.log.push(m);
    room.activity = Math.max(room.activity ?? 0, m.time);
    return m;
  }

  notice(room: Room, ago: number, notice: Notice, text: string): void {
    this.say(room, notice.by ?? this.me.user, text, ago, { id: "", kind: "notice", notice: structuredClone(notice) as Loose<Notice>, mine: undefined, state: "received" });
  }

  unread(room: Room, n: number, mentions = 0): void {
    room.unread = n;
    room.mentions = mentions;
    room.firstUnread = room.last - n + 1;
  }

  // What the calls do.

  readonly #handlers: Handlers = {
    state: () => this.#host,
    connection: () => ({ state: this.#online, queued: 0, behind: 0 }),
    invite: ({ code }) => {
      const valid = /sconce1|#/.test(code) && !/bad/.test(code);
      return { server: "https://chat.skerry.example", network: "f7yqk2m4nzt6", valid };
    },
    join: async ({ name, deviceName }) => {
      await this.#wait(600);
      if (/taken/i.test(name)) throw new CoreError("conflict", "that name is taken");
      this.me = { ...this.me, name, deviceName };
      queueMicrotask(() => this.#become("open"));
      return { me: this.me, recovery: recoveryKey };
    },
    link: ({ deviceName }) => new Promise((done, fail) => {
      this.#later(300, () => this.emit({ link: { code: "SD1-4Q7ZK-M0XPA-TT8WD-93LF6", expires: Date.now() + 300_000 } }));
      this.#linking = (error) => {
        if (error) return fail(error);
        this.me = { ...this.me, deviceName };
        this.#become("open");
        done({ me: this.me });
      };
    }),
    cancel: () => (this.#linking?.(new CoreError("canceled", "canceled")), {}),
    recover: async ({ recovery, deviceName }) => {
      await this.#wait(600);
      if (!recovery.startsWith("SR1-")) throw new CoreError("params", "this is not a recovery key");
      this.me = { ...this.me, deviceName };
      this.#become("open");
      return { me: this.me };
    },
    unlock: async ({ passphrase, passkey }) => {
      await this.#wait(350);
      if (!passkey && passphrase !== this.#passphrase) throw new CoreError("wrong_passphrase", "wrong passphrase");
      this.#become("open");
      return { me: this.me };
    },
    handover: () => ({ token: "pretended" }),
    lock: () => (this.#become("locked"), {}),
    forget: () => (this.#become("new"), {}),
    passkey: ({ add, remove }) => {
      if (add) this.#host = { ...this.#host, passkey: { credential: add.credential ?? "", salt: add.salt ?? "" } };
      if (remove) this.#host = { ...this.#host, passkey: undefined };
      this.emit({ state: this.#host });
      return {};
    },
    changePassphrase: (p) => {
      if (p.old !== this.#passphrase) throw new CoreError("wrong_passphrase", "wrong passphrase");
      this.#passphrase = p.new;
      return {};
    },

    me: () => this.me,
    rename: ({ name }) => (this.me = { ...this.me, name }, this.emit({ me: this.me }), {}),
    people: ({ query }) => this.people.filter((p) => p.name.toLowerCase().includes((query ?? "").toLowerCase())),
    safety: ({ user }) => {
      const p = this.#person(user);
      return { user, name: p.name, number: safety(user), trust: p.trust, qr: `sconce:safety:${user}:${safety(user).replaceAll(" ", "")}` };
    },
    checkSafety: ({ user, scanned }) => ({ same: scanned.includes(user) }),
    markVerified: ({ user, verified }) => {
      const p = this.#person(user);
      p.trust = verified ? "verified" : "unverified";
      for (const r of this.rooms.values()) {
        const m = r.members.find((m) => m.user === user);
        if (!m) continue;
        m.trust = p.trust;
        r.verified = r.members.every((m) => m.user === this.me.user || m.trust === "verified");
        this.#tell(r);
      }
      return {};
    },
    roomDevices: ({ user }) => ["Phone", "Laptop"].map((name, i) => ({
      device: `${user}-${i}`, name, added: Date.now() - (90 - i * 40) * 86_400_000, fingerprint: safety(user + i).slice(0, 23), lastSeen: Date.now() - i * 3_600_000,
    })),

    rooms: () => [...this.rooms.values()].map((r) => this.#view(r)),
    room: ({ room }) => this.#view(this.#room(room)),
    newRoom: ({ name, users }) => {
      const r = this.room(`r-${++this.#count}`, name, users);
      this.notice(r, 0, { what: "started", by: this.me.user }, "You started the room");
      this.#tell(r);
      return this.#view(r);
    },
    directRoom: ({ user }) => {
      const had = [...this.rooms.values()].find((r) => r.kind === "direct" && r.members.some((m) => m.user === user));
      const r = had ?? this.direct(user);
      r.activity ||= Date.now();
      this.#tell(r);
      return this.#view(r);
    },
    addPeople: ({ room, users }) => {
      const r = this.#room(room);
      for (const user of users) {
        const p = this.#person(user);
        r.members.push({ user, name: p.name, trust: p.trust, devices: p.devices ?? 1 });
      }
      r.verified = r.members.every((m) => m.user === this.me.user || m.trust === "verified");
      this.#tellNotice(r, { what: "added", by: this.me.user, who: users }, "added");
      return {};
    },
    removePerson: ({ room, user }) => {
      const r = this.#room(room);
      r.members = r.members.filter((m) => m.user !== user);
      this.#tellNotice(r, { what: "removed", by: this.me.user, who: [user] }, "removed");
      return {};
    },
    setAdmin: ({ room, user, admin }) => {
      const r = this.#room(room);
      r.members = r.members.map((m) => (m.user === user ? { ...m, admin } : m));
      r.admin = r.members.some((m) => m.admin && m.user === this.me.user) || !r.members.some((m) => m.admin);
      this.#tellNotice(r, { what: admin ? "admin" : "member", by: this.me.user, who: [user] }, "admin");
      return {};
    },
    leave: ({ room }) => {
      const r = this.#room(room);
      r.left = true;
      this.#tellNotice(r, { what: "left", by: this.me.user }, "left");
      return {};
    },
    dismiss: ({ room }) => {
      const r = this.#room(room);
      r.alarm = undefined;
      this.#tell(r);
      return {};
    },
    setRoom: ({ room, ...change }) => {
      const r = this.#room(room);
      const timers = change.expire !== undefined || change.burn !== undefined;
      Object.assign(r, Object.fromEntries(Object.entries(change).filter(([, v]) => v !== undefined)));
      if (timers) this.#tellNotice(r, { what: "timer", by: this.me.user, expire: r.expire, burn: r.burn }, "timer");
      else if (change.name) this.#tellNotice(r, { what: "named", by: this.me.user, name: r.name }, "named");
      else this.#tell(r);
      return {};
    },
    preferences: ({ room, pinned, notify }) => {
      const r = this.#room(room);
      if (pinned !== undefined) r.pinned = pinned;
      if (notify !== undefined) r.notify = notify as Notify;
      this.#tell(r);
      return {};
    },
    draft: ({ room, text }) => {
      const r = this.#room(room);
      r.draft = text || undefined;
      this.#tell(r);
      return {};
    },
    typing: () => ({}),

    messages: ({ room, before, after, around, limit }) => {
      const log = this.#room(room).log;
      const n = limit ?? 50;
      const sent = log.filter((m) => m.seq);
      const waiting = log.filter((m) => !m.seq);
      if (before) return sent.filter((m) => (m.seq ?? 0) < before).slice(-n);
      if (after) return [...sent.filter((m) => (m.seq ?? 0) > after), ...waiting].slice(0, n);
      if (around) {
        const at = Math.max(0, sent.findIndex((m) => (m.seq ?? 0) >= around));
        return sent.slice(Math.max(0, at - n / 2), at + n / 2);
      }
      return [...sent.slice(-n), ...waiting];
    },
    message: ({ room, id }) => this.#message(room, id),
    send: ({ room, text, replyTo, expire, burn, nonce }) => {
      const had = nonce && this.#nonces.get(nonce);
      if (had) return had;
      if (new TextEncoder().encode(text).length > 60_000) throw new CoreError("too_large", "the message is too long");
      const r = this.#room(room);
      const shorter = (a: number | undefined, b: number | undefined) => Math.min(a || Infinity, b || Infinity);
      const [e, b] = [shorter(r.expire, expire), shorter(r.burn, burn)];
      const m = this.say(r, this.me.user, text, 0, {
        seq: 0, state: "queued", replyTo, ...(Number.isFinite(b) ? { burn: b } : {}),
        ...(Number.isFinite(Math.min(e, b)) ? { expires: Date.now() + Math.min(e, b) * 1000 } : {}),
      });
      r.last--;
      r.draft = undefined;
      if (nonce) this.#nonces.set(nonce, m);
      this.#tell(r);
      void this.#deliver(r, m);
      return m;
    },
    react: ({ room, message, emoji }) => {
      const m = this.#message(room, message);
      m.reactions ??= [];
      let line = m.reactions.find((x) => x.emoji === emoji);
      if (!line) m.reactions.push((line = { emoji, by: [] }));
      line.by.push(this.me.user);
      line.mine = `x-${++this.#count}`;
      this.emit({ message: m });
      return {};
    },
    unreact: ({ room, message, reaction }) => {
      const m = this.#message(room, message);
      const line = m.reactions?.find((x) => x.mine === reaction);
      if (line) {
        line.by = line.by.filter((u) => u !== this.me.user);
        line.mine = undefined;
        m.reactions = m.reactions?.filter((x) => x.by.length > 0);
      }
      this.emit({ message: m });
      return {};
    },
    edit: ({ room, message, text }) => {
      const m = this.#message(room, message);
      this.revisions.set(m.id, [{ text: m.text ?? "", time: m.time }, ...(this.revisions.get(m.id) ?? [])]);
      m.text = text;
      m.edited = true;
      this.emit({ message: m });
      this.#tell(this.#room(room));
      return {};
    },
    delete: ({ room, message }) => {
      const m = this.#message(room, message);
      m.deleted = true;
      m.text = undefined;
      m.quote = undefined;
      m.reactions = undefined;
      this.emit({ message: m });
      this.#tell(this.#room(room));
      return {};
    },
    retry: ({ room, message }) => {
      const m = this.#message(room, message);
      m.state = "queued";
      m.problem = undefined;
      this.emit({ message: m });
      void this.#deliver(this.#room(room), m);
      return {};
    },
    discard: ({ room, message }) => (this.#gone(this.#room(room), message), {}),
    history: ({ message }) => this.revisions.get(message) ?? [],
    view: ({ room, upTo }) => {
      const r = this.#room(room);
      const now = Date.now();
      for (const m of r.log) {
        if (m.burn && !m.expires && (m.seq ?? 0) <= upTo) {
          m.expires = now + m.burn * 1000;
          this.emit({ message: m });
        }
      }
      if (upTo >= r.last) {
        r.unread = 0;
        r.mentions = 0;
        r.firstUnread = undefined;
        this.#tell(r);
      }
      return {};
    },
    search: async ({ query, room, limit }) => {
      await this.#wait(60);
      const wanted = query.toLowerCase();
      const hits: SearchHit[] = [];
      for (const r of this.rooms.values()) {
        if (room && r.room !== room) continue;
        for (const m of r.log) {
          if (m.kind !== "notice" && m.text?.toLowerCase().includes(wanted)) hits.push({ message: m, roomName: r.name });
        }
      }
      return { hits: hits.sort((a, b) => b.message.time - a.message.time).slice(0, limit ?? 30) };
    },

    settings: () => this.settings,
    setSettings: (change) => (this.settings = { ...this.settings, ...change }),
    devices: () => this.devices,
    approve: async ({ code }) => {
      await this.#wait(500);
      if (!code.toUpperCase().startsWith("SD1-")) throw new CoreError("not_found", "no device waits with this code");
      const d: DeviceView = { device: `d-${++this.#count}`, name: "Chrome on Android", added: Date.now(), fingerprint: safety(code).slice(0, 23) };
      this.devices.push(d);
      this.emit({ me: this.me });
      return d;
    },
    removeDevice: ({ device }) => {
      this.devices = this.devices.filter((d) => d.device !== device);
      this.emit({ me: this.me });
      return {};
    },
    sync: () => ({}),
  };

  // The others.

  /** Someone writes a message now, after having typed for a while. */
  async writes(room: Room, user: string, text: string, extra: Partial<MessageView> = {}): Promise<MessageView> {
    this.emit({ typing: { room: room.room, user, until: Date.now() + 6_000 } });
    await this.#wait(Math.min(2_500, 500 + text.length * 25));
    this.emit({ typing: { room: room.room, user, until: 0 } });
    const m = this.say(room, user, text, 0, extra);
    room.unread = (room.unread ?? 0) + 1;
    room.firstUnread ??= m.seq;
    if (extra.mentionsMe) room.mentions = (room.mentions ?? 0) + 1;
    this.emit({ message: m });
    this.#tell(room);
    return m;
  }

  letIn(): void {
    this.#linking?.();
  }

  async #deliver(r: Room, m: MessageView): Promise<void> {
    this.#tellConnection();
    if (this.#online !== "online") return;
    await this.#wait(this.options.latency ?? 250);
    if (this.options.refuses) {
      m.state = this.options.refuses;
      m.problem = "the server refused the message";
      this.emit({ message: m });
      this.#tell(r);
      return;
    }
    if (!m.seq) m.seq = ++r.last;
    r.log.sort((a, b) => (a.seq || Infinity) - (b.seq || Infinity));
    for (const state of ["sent", "delivered", "read"] as const) {
      if (state !== "sent" && !this.settings.receipts) break;
      m.state = state;
      const others = r.members.map((x) => x.user).filter((u) => u !== this.me.user);
      if (state !== "sent") m.receipts = { delivered: others, read: state === "read" ? others : [] };
      this.emit({ message: m });
      this.#tell(r);
      await this.#wait(700);
    }
    this.#tellConnection();
    const user = r.members.find((x) => x.user !== this.me.user)?.user;
    if (this.options.lively && user) void this.writes(r, user, answers[this.#count % answers.length] ?? "", r.burn ? { burn: r.burn } : {});
  }

  #burn(): void {
    const now = Date.now();
    for (const r of this.rooms.values()) {
      for (const m of [...r.log]) if (m.expires && m.expires <= now) this.#gone(r, m.id);
    }
  }

  #gone(r: Room, id: string): void {
    r.log = r.log.filter((m) => m.id !== id);
    for (const m of r.log) if (m.quote?.id === id) m.quote = { ...m.quote, text: "", gone: true };
    this.emit({ gone: { room: r.room, id } });
    this.#tell(r);
  }

  #become(state: Phase): void {
    this.#host = { ...this.#host, state };
    this.emit({ state: this.#host });
  }

  #tellNotice(r: Room, notice: Notice, text: string): void {
    this.notice(r, 0, notice, text);
    this.emit({ message: r.log.at(-1) });
    this.#tell(r);
  }

  #tell(r: Room): void {
    this.emit({ room: this.#view(r) });
  }

  #view({ log, ...view }: Room): RoomView {
    const lastMessage = log.findLast((m) => !m.deleted && ["text", "reply", "unsupported"].includes(m.kind));
    return { ...view, lastMessage, queued: log.filter((m) => m.state === "queued").length || undefined };
  }

  #room(room: string): Room {
    const r = this.rooms.get(room);
    if (!r) throw new CoreError("not_found", "there is no such room");
    return r;
  }

  #message(room: string, id: string): MessageView {
    const m = this.#room(room).log.find((x) => x.id === id);
    if (!m) throw new CoreError("not_found", "the message is gone");
    return m;
  }

  #person(user: string): PersonView {
    const p = this.people.find((x) => x.user === user);
    if (p) return p;
    const unknown: PersonView = { user, name: user === this.me.user ? this.me.name : user, trust: "unverified", devices: 1 };
    if (user === this.me.user) unknown.trust = "verified";
    return unknown;
  }

  #wait(ms: number): Promise<void> {
    return ms > 0 ? new Promise((done) => this.#later(ms, done)) : Promise.resolve();
  }

  #later(ms: number, what: () => void): void {
    const t = setTimeout(() => {
      this.#timers.delete(t);
      what();
    }, ms);
    this.#timers.add(t);
  }
}

const answers = [
  "Good. I'll tell the others.",
  "On my way, ten minutes.",
  "Can you send me the tide table for **Thursday**?",
  "That's a relief, honestly.",
  "Done ✓",
];

/** Sixty figures that look like a safety number, the same for the same name. */
function safety(of: string): string {
  let n = 17;
  const groups: string[] = [];
  for (let i = 0; i < 12; i++) {
    for (const c of of + words[i % words.length]) n = (n * 131 + c.charCodeAt(0) + i) % 2147483647;
    groups.push(String(n % 100_000).padStart(5, "0"));
  }
  return groups.join(" ");
}
