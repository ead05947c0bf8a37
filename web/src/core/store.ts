import { CoreError, type Door, type GoneEvent, type Methods, type MessageView, type Params, type Result, type RoomView } from "./bridge";
import { initial, keyOf, next, type Action, type AppState } from "./next";
import { neighbour } from "./rows";

/** How the rest of the page hears of what has no place in the state. */
export interface Ears {
  /** Puts an error into words for a person. */
  explain(error: unknown): string;
  /** A message came in that is not on the screen. */
  notify(message: MessageView, room: RoomView | undefined): void;
  /** Another device was let in as one of this person's. */
  letIn(device: string): void;
}

const page = 60;
const typingEvery = 4_000;

export interface Outgoing {
  replyTo?: string;
  expire?: number;
  burn?: number;
}

/**
 * Session is the page's end of the door: it keeps the state that the screens
 * draw, and turns their wishes into calls. It decides nothing: what changes is
 * decided by next, and what happens by the core.
 */
export class Session {
  #state: AppState = initial;
  #listeners = new Set<() => void>();
  #watchers = new Set<(gone: GoneEvent | undefined) => void>();
  #paging = new Set<string>();
  #viewed = new Map<string, number>();
  #unkept = new Set<string>(); // rooms that were viewed further than the core could keep
  #typed = new Map<string, number>();
  #devices?: Set<string>;
  #link?: AbortController;
  #stop?: () => void;
  #ticking?: ReturnType<typeof setInterval>;

  constructor(
    readonly door: Door,
    private readonly ears: Ears,
    private readonly clock: () => number = Date.now,
  ) {}

  get state(): AppState {
    return this.#state;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Tells of each message that is gone or was deleted, for whatever shows one that
   * is not in the state; and with undefined that some may be gone, nobody knows which.
   */
  watch = (watcher: (gone: GoneEvent | undefined) => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  #tellGone(gone: GoneEvent | undefined): void {
    for (const w of this.#watchers) w(gone);
  }

  dispatch(action: Action): void {
    const before = this.#state;
    this.#state = next(before, action);
    if (this.#state !== before) for (const l of this.#listeners) l();
  }

  /** Begins to listen, and asks how things stand. */
  async start(): Promise<void> {
    const listen = () => {
      this.#stop = this.door.subscribe((event) => this.#heard(event), () => void lost());
    };
    const lost = async () => {
      this.#tellGone(undefined);
      listen();
      await this.#begin();
    };
    listen();
    this.#ticking = setInterval(() => {
      if (Object.keys(this.#state.typing).length > 0) this.dispatch({ type: "tick", now: this.clock() });
    }, 1_000);
    await this.#begin();
  }

  stop(): void {
    this.#stop?.();
    clearInterval(this.#ticking);
  }

  async #begin(): Promise<void> {
    try {
      const host = await this.door.call("state", {});
      this.dispatch({ type: "host", host });
      if (host.state === "open") await this.#load();
    } catch (error) {
      this.dispatch({ type: "trouble", text: this.ears.explain(error) });
    }
  }

  /** Asks the core anew, after it could not be asked. */
  again(): Promise<void> {
    return this.#begin();
  }

  async #load(): Promise<void> {
    await this.#try(async () => {
      const [me, rooms, settings, connection] = await Promise.all([
        this.door.call("me", {}),
        this.door.call("rooms", {}),
        this.door.call("settings", {}),
        this.door.call("connection", {}),
      ]);
      this.dispatch({ type: "opened", me, rooms, settings });
      this.dispatch({ type: "event", event: { connection }, now: this.clock() });
      void this.#keepViewed();
      if (this.#state.selected) await this.newest(this.#state.selected);
      await Promise.all([this.people(), this.#lookAtDevices()]);
    });
  }

  #heard(event: Parameters<Parameters<Door["subscribe"]>[0]>[0]): void {
    const was = this.#state;
    const fresh = event.message && !this.#known(event.message);
    this.dispatch({ type: "event", event, now: this.clock() });
    if (this.#state.host?.state === "open" && was.host?.state !== "open") void this.#load();
    const changed = event.message?.notice?.what === "device" && was.me && event.message.notice.who?.includes(was.me.user);
    if ((event.me && was.me) || changed) void this.#lookAtDevices();
    if (event.connection && was.connection.state === "full") void this.#keepViewed();
    // Without a server the core lists those whom it has met, which may be nobody.
    if (event.connection?.state === "online" && was.connection.state === "offline") void this.people();
    if (event.state && event.state.state !== "open") {
      this.#viewed.clear();
      this.#unkept.clear();
      this.#devices = undefined;
    }
    const m = event.message;
    if (event.gone) this.#tellGone(event.gone);
    if (m?.deleted) this.#tellGone({ room: m.room, id: m.id });
    if (event.state && event.state.state !== "open") this.#tellGone(undefined);
    if (!m || !fresh || m.mine || m.deleted || (m.kind !== "text" && m.kind !== "reply")) return;
    if (m.room === this.#state.selected && !document.hidden) this.dispatch({ type: "announce", message: m });
    else this.ears.notify(m, this.#state.rooms[m.room]);
  }

  /** Tells of a device that was not there before: whoever let it in should know, and whoever did not all the more. */
  async #lookAtDevices(): Promise<void> {
    await this.#try(async () => {
      const list = await this.door.call("devices", {});
      const before = this.#devices;
      this.#devices = new Set(list.map((d) => d.device));
      for (const d of list) if (before && !before.has(d.device) && !d.this) this.ears.letIn(d.name);
    });
  }

  #known(m: MessageView): boolean {
    const room = this.#state.rooms[m.room];
    if (!m.seq || (room && m.seq < room.last)) return true;
    const key = keyOf(m);
    return this.#state.timelines[m.room]?.items.some((e) => e.key === key) ?? false;
  }

  /** Does what may fail; the person is told why. Says whether it worked. */
  async #try(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      // That the call was cut off, by its caller or by the lock, is no news.
      const cut = error instanceof CoreError && (error.code === "canceled" || error.code === "locked");
      if (!cut) this.tell(this.ears.explain(error), "problem");
      return false;
    }
  }

  /** A call whose failure is shown in passing. */
  wish<M extends keyof Methods>(method: M, params: Params<M>): Promise<boolean> {
    return this.#try(() => this.door.call(method, params));
  }

  /** A call whose failure its caller shows. */
  ask<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>> {
    return this.door.call(method, params, signal);
  }

  explain(error: unknown): string {
    return this.ears.explain(error);
  }

  tell(text: string, kind: "info" | "problem" = "info"): void {
    this.dispatch({ type: "toast", kind, text });
  }

  // Rooms and their timelines.

  select(room?: string): void {
    if (room === this.#state.selected) return;
    this.dispatch({ type: "select", room });
    if (room && !this.#state.timelines[room]) {
      const first = this.#state.rooms[room]?.unread ? this.#state.rooms[room]?.firstUnread : undefined;
      void (first ? this.#openAt(room, first) : this.newest(room));
    }
  }

  step(by: 1 | -1, unread: boolean): void {
    const room = neighbour(this.#state, by, unread);
    if (room) this.select(room);
  }

  async newest(room: string): Promise<void> {
    await this.#page(room, async () => {
      const items = await this.door.call("messages", { room, limit: page });
      this.dispatch({ type: "page", room, at: "newest", items, full: items.length >= page });
    });
  }

  /** Opens where the unread begins; when the newest fill less than a page, that is the same. */
  async #openAt(room: string, seq: number): Promise<void> {
    await this.#page(room, async () => {
      const items = await this.door.call("messages", { room, limit: page });
      const first = items.find((m) => m.seq)?.seq ?? 0;
      if (first <= seq || items.length < page) {
        this.dispatch({ type: "page", room, at: "newest", items, full: items.length >= page });
        return;
      }
      const around = await this.door.call("messages", { room, around: seq, limit: page });
      this.dispatch({ type: "page", room, at: "around", items: around, full: true });
    });
  }

  older(room: string): void {
    const t = this.#state.timelines[room];
    const before = t?.items.find((e) => e.message?.seq)?.message?.seq;
    if (!t || t.oldest || !before) return;
    void this.#page(room, async () => {
      const items = await this.door.call("messages", { room, before, limit: page });
      this.dispatch({ type: "page", room, at: "before", items, full: items.length >= page });
    });
  }

  newer(room: string): void {
    const t = this.#state.timelines[room];
    const after = t?.items.findLast((e) => e.message?.seq)?.message?.seq;
    if (!t || t.newest || !after) return;
    void this.#page(room, async () => {
      const items = await this.door.call("messages", { room, after, limit: page });
      this.dispatch({ type: "page", room, at: "after", items, full: items.length >= page });
    });
  }

  /** Brings a message onto the screen, from wherever in the log it is. */
  async show(room: string, id: string): Promise<void> {
    await this.#try(async () => {
      const here = this.#state.timelines[room]?.items.find((e) => e.key === id)?.message;
      const m = here ?? (await this.door.call("message", { room, id }));
      this.dispatch({ type: "select", room });
      if (here || !m.seq) {
        const t = this.#state.timelines[room];
        const items = t ? t.items.flatMap((e) => (e.message ? [e.message] : [])) : [];
        this.dispatch({ type: "page", room, at: t?.newest ? "after" : "before", items, full: !(t?.newest || t?.oldest), focus: id });
        return;
      }
      const items = await this.door.call("messages", { room, around: m.seq, limit: page });
      this.dispatch({ type: "page", room, at: "around", items, full: true, focus: id });
    });
  }

  async #page(room: string, read: () => Promise<void>): Promise<void> {
    if (this.#paging.has(room)) return;
    this.#paging.add(room);
    try {
      await this.#try(read);
    } finally {
      this.#paging.delete(room);
    }
  }

  /** The person has seen the room up to there. What burns after it was read begins to then: it is told until the core could keep it. */
  view(room: string, upTo: number): void {
    const view = this.#state.rooms[room];
    if (document.hidden || upTo <= (this.#viewed.get(room) ?? 0) || !view) return;
    this.#viewed.set(room, upTo);
    this.dispatch({ type: "read", room, upTo });
    this.#unkept.add(room);
    void this.#keepViewed();
  }

  async #keepViewed(): Promise<void> {
    for (const room of [...this.#unkept]) {
      const upTo = this.#viewed.get(room);
      if (this.#state.connection.state === "full" || upTo === undefined) return;
      this.#unkept.delete(room);
      await this.#try(() => this.door.call("view", { room, upTo }).catch((error: unknown) => {
        if (!(error instanceof CoreError && error.code === "full")) throw error;
        this.#unkept.add(room); // that there is no space is said where it is said for all
      }));
    }
  }

  // Writing.

  async send(room: string, text: string, how: Outgoing): Promise<boolean> {
    return this.#try(async () => {
      const message = await this.door.call("send", { room, text, ...how, nonce: nonce() });
      if (!this.#state.timelines[room]?.newest) await this.newest(room);
      this.dispatch({ type: "event", event: { message }, now: this.clock() });
    });
  }

  draft(room: string, text: string, replyTo?: string): void {
    void this.#try(() => this.door.call("draft", { room, text, replyTo }).catch((error: unknown) => {
      // What is typed stays in the editor, and that there is no space is shown already.
      if (!(error instanceof CoreError && error.code === "full")) throw error;
    }));
  }

  typing(room: string): void {
    const now = this.clock();
    if (!this.#state.settings?.typing || now - (this.#typed.get(room) ?? 0) < typingEvery) return;
    this.#typed.set(room, now);
    // That somebody writes is worth no complaint when it can't be told.
    this.door.call("typing", { room }).catch(() => undefined);
  }

  react(m: MessageView, emoji: string): void {
    const mine = m.reactions?.find((r) => r.emoji === emoji)?.mine;
    void (mine
      ? this.wish("unreact", { room: m.room, message: m.id, reaction: mine })
      : this.wish("react", { room: m.room, message: m.id, emoji }));
  }

  async people(): Promise<void> {
    await this.#try(async () => {
      const people = await this.door.call("people", {});
      this.dispatch({ type: "people", people });
    });
  }

  async setSettings(change: Params<"setSettings">): Promise<void> {
    await this.#try(async () => {
      const settings = await this.door.call("setSettings", change);
      this.dispatch({ type: "settings", settings });
    });
  }

  // Getting in and out.

  async enter(call: () => Promise<unknown>): Promise<void> {
    await call();
    await this.#begin();
  }

  /** Waits as a new device until another one lets it in; events bring the code to show. */
  async link(params: Params<"link">): Promise<void> {
    this.#link?.abort();
    const waiting = new AbortController();
    this.#link = waiting;
    await this.enter(() => this.door.call("link", params, waiting.signal));
  }

  cancelLink(): void {
    this.#link?.abort();
    this.#link = undefined;
    this.door.call("cancel", {}).catch(() => undefined);
  }

  async lock(): Promise<void> {
    await this.#try(() => this.door.call("lock", {}));
    await this.#begin();
  }
}

/** A name for one wish to send, so that a repeated one is known for the same. */
function nonce(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
