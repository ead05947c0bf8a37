// The tab that leads: it owns the worker with the core, and passes lines between
// the core and every tab, its own among them.

import type { ErrorCode, Event } from "../core/bridge";
import { CoreError } from "../core/bridge";
import { LineDoor, type Ears } from "../core/line";
import { ourScript } from "../core/trusted";
import coreURL from "../worker/core.ts?worker&url";
import type { FromCore, ToCore } from "../worker/core";
import { allChannel, leaderChannel, tabChannel, tabLock, type ToAll, type ToLeader, type ToTab } from "./channel";
import { IdleLock } from "./idle";

/** The leader's own line to the core. No tab is called so. */
const own = "leader";

// How long a core that was locked has to answer the call that locked it.
const lastWords = 50;

// When a core that could not be had is tried again, in milliseconds.
const soon = 1500;
const late = 30_000;

/** A worker that loads what a core needs, and takes the store when it is told to lead. */
export function prepareCore(): Worker {
  return new Worker(ourScript(coreURL), { type: "module", name: "sconce-core" });
}

/** Leads until stop. */
export class Leader {
  readonly #all = new BroadcastChannel(allChannel);
  readonly #inbox = new BroadcastChannel(leaderChannel);
  readonly #tabs = new Map<string, BroadcastChannel>();
  readonly #idle = new IdleLock(() => this.#lock());
  #worker: Worker | undefined;
  #door: LineDoor | undefined;
  #ears: Ears | undefined;
  #era = "";
  #ready = false;
  #open = false;
  #over = false; // the core was locked, and says its last words
  #failed: ToAll | undefined;
  #failures = 0;
  #began = 0;
  #token: string | null = null;
  #locking = false;
  #inherited: Promise<string | null>;

  /** inherited is what opens the store, where the leader before had it open. */
  constructor(inherited: Promise<string | null>, prepared: Worker) {
    performance.mark("sconce-lead"); // marks tell where the time of a hand-over goes
    this.#inherited = inherited;
    this.#inbox.onmessage = ({ data }: MessageEvent<ToLeader>) => this.#hear(data);
    this.#start(prepared);
  }

  /** Ends the core at once. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#idle.stop();
    for (const channel of [this.#all, this.#inbox, ...this.#tabs.values()]) channel.close();
  }

  #start(worker: Worker): void {
    this.#ready = this.#open = this.#over = this.#locking = false;
    this.#era = crypto.randomUUID();
    this.#began = performance.now();
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromCore>) => this.#worker === worker && this.#told(data);
    worker.onerror = (event) => this.#worker === worker && this.#fail("failed", event.message || "the core can't be started");
    this.#core({ kind: "lead" });
  }

  #told(message: FromCore): void {
    switch (message.kind) {
      case "ready":
        performance.mark("sconce-ready");
        this.#failed = undefined;
        void this.#begin();
        break;
      case "failed":
        this.#fail(message.code, message.message);
        break;
      case "line":
        if (message.tab === own) this.#ears?.line(message.line);
        else this.#toTab(message.tab, { kind: "line", era: this.#era, line: message.line });
        break;
      case "closed":
        this.#opened(message.tab); // it begins anew
        break;
    }
  }

  /** The core is there: open the store if another leader had it open, then let the tabs come. */
  async #begin(): Promise<void> {
    this.#core({ kind: "open", tab: own });
    const door = new LineDoor({
      listen: (ears) => (this.#ears = ears),
      send: (line) => this.#core({ kind: "line", tab: own, line }),
    });
    this.#door = door;
    this.#ears?.renewed();
    this.#watch(door);
    const token = await this.#inherited;
    try {
      if (token !== null && !this.#locking) await door.call("unlock", { token });
    } catch {
      // The person unlocks.
    }
    if (door !== this.#door) return;
    this.#ready = true;
    performance.mark("sconce-leading");
    this.#all.postMessage({ kind: "leading", era: this.#era } satisfies ToAll);
  }

  #watch(door: LineDoor): void {
    door.subscribe(
      (event) => this.#happened(door, event),
      () => door === this.#door && this.#watch(door),
    );
  }

  #happened(door: LineDoor, event: Event): void {
    if (door !== this.#door) return;
    if (event.settings) this.#idle.after(event.settings.idleLock);
    if (event.state?.state === "open" && !this.#open) {
      this.#open = true;
      void this.#opening(door);
    }
    if (event.state && event.state.state !== "open" && this.#open) this.#locked();
  }

  async #opening(door: LineDoor): Promise<void> {
    try {
      const { token } = await door.call("handover", {});
      if (door === this.#door && this.#open && !this.#locking) this.#setToken(token);
      this.#idle.after((await door.call("settings", {})).idleLock); // later ones come as events
    } catch {
      return; // it was locked meanwhile
    }
  }

  /** Locks, because somebody wishes so who may be gone already. Its token is given to nobody any more. */
  locking(): void {
    if (this.#locking) return;
    this.#locking = true;
    this.#token = null;
    this.#inherited = Promise.resolve(null); // also for a core that is started anew
    this.#door?.call("lock", {}).catch(() => {});
  }

  #lock(): void {
    this.#all.postMessage({ kind: "locking", era: this.#era } satisfies ToAll);
    this.locking();
  }

  /** With the worker go all keys: its memory is the browser's again. */
  #locked(): void {
    this.#open = false;
    this.#over = true; // what is asked now would end with it: the tabs ask the next one
    this.#setToken(null);
    this.#idle.after(0);
    const worker = this.#worker;
    setTimeout(() => {
      if (this.#worker !== worker) return;
      worker?.terminate();
      this.#door = this.#ears = undefined;
      this.#inherited = Promise.resolve(null);
      this.#start(prepareCore());
    }, lastWords);
  }

  #setToken(token: string | null): void {
    this.#token = token;
    this.#all.postMessage({ kind: "token", era: this.#era, token } satisfies ToAll);
  }

  /** Tells why there is no core, and tries again: whatever was in the way may go. */
  #fail(code: string, message: string): void {
    this.#worker?.terminate();
    this.#door = this.#ears = undefined;
    this.#failed = { kind: "failed", code, message };
    this.#all.postMessage(this.#failed);
    if (performance.now() - this.#began > 2 * late) this.#failures = 0;
    // Others let go, and space is made, sooner than what is broken mends itself.
    const wait = code === "busy" || code === "quota" ? soon : Math.min(soon * 2 ** this.#failures++, late);
    const worker = this.#worker;
    setTimeout(() => this.#worker === worker && worker !== undefined && this.#start(prepareCore()), wait);
  }

  #hear(message: ToLeader): void {
    switch (message.kind) {
      case "open":
        if (this.#failed !== undefined) this.#all.postMessage(this.#failed);
        else if (this.#ready) this.#opened(message.tab);
        break;
      case "line":
        if (message.era === this.#era && !this.#over) this.#core({ kind: "line", tab: message.tab, line: message.line });
        break;
      case "active":
        this.#idle.touch();
        break;
    }
  }

  /** Gives a tab a line, until the tab's lock shows that it is gone. */
  #opened(tab: string): void {
    if (!this.#tabs.has(tab)) {
      const channel = new BroadcastChannel(tabChannel(tab));
      this.#tabs.set(tab, channel);
      void navigator.locks.request(tabLock(tab), () => {
        this.#core({ kind: "close", tab });
        this.#tabs.delete(tab);
        channel.close();
      });
    }
    this.#core({ kind: "open", tab });
    this.#toTab(tab, { kind: "opened", era: this.#era, token: this.#token });
  }

  #toTab(tab: string, message: ToTab): void {
    this.#tabs.get(tab)?.postMessage(message);
  }

  #core(message: ToCore): void {
    this.#worker?.postMessage(message);
  }
}

/** Codes of the worker's that are no words of the door. */
export function coreError(code: string, message: string): CoreError {
  const known: Record<string, ErrorCode> = { busy: "busy", quota: "full" };
  return new CoreError(known[code] ?? "failed", message);
}
