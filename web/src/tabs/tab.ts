// One tab among those that share a core. Whichever holds the lock leads; the
// others wait for it, and one of them leads as soon as it is gone.

import { CoreError, type Door, type Methods, type Params, type Result } from "../core/bridge";
import { LineDoor, type Ears, type Pipe } from "../core/line";
import { allChannel, leaderChannel, leaderLock, nextLock, tabChannel, tabLock, type ToAll, type ToLeader, type ToTab } from "./channel";
import { watchTouches } from "./idle";
import { coreError, Leader, prepareCore } from "./leader";

// How long a page has for itself before it prepares for what may never come.
const settled = 1500;

/** Opens a door to the core that all tabs share, and leads if nobody does. */
export function openTab(): Door {
  return new TabDoor(new TabPipe());
}

class TabDoor extends LineDoor {
  readonly #pipe: TabPipe;

  constructor(pipe: TabPipe) {
    super(pipe);
    this.#pipe = pipe;
  }

  override call<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>> {
    if (method === "lock") this.#pipe.locking();
    return super.call(method, params, signal);
  }
}

class TabPipe implements Pipe {
  readonly #id = crypto.randomUUID();
  readonly #leader = new BroadcastChannel(leaderChannel);
  readonly #all = new BroadcastChannel(allChannel);
  readonly #own = new BroadcastChannel(tabChannel(this.#id));
  #era = "";
  // In memory alone: with the last tab it is gone, and so is the open store.
  #token: string | null = null;
  readonly #locked = new Set<string>(); // eras of cores whose token is of no use any more
  #leading: Leader | undefined;
  readonly #heard = new Map<string, () => void>();

  listen(ears: Ears): void {
    this.#all.onmessage = ({ data }: MessageEvent<ToAll>) => {
      switch (data.kind) {
        case "leading":
          if (data.era !== this.#era) this.#open();
          break;
        case "token":
          this.#keep(data.era, data.token);
          break;
        case "locking":
          this.#forget(data.era);
          break;
        case "heard":
          this.#heard.get(data.mark)?.();
          break;
        case "failed":
          ears.down(coreError(data.code, data.message));
          break;
      }
    };
    this.#own.onmessage = ({ data }: MessageEvent<ToTab>) => {
      if (data.kind === "opened") {
        this.#era = data.era;
        this.#keep(data.era, data.token);
        performance.mark("sconce-opened");
        ears.renewed();
      } else if (data.era === this.#era) {
        ears.line(data.line);
      }
    };
    // A page that comes back from where browsers keep them has lost its core.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    watchTouches(() => this.#leader.postMessage({ kind: "active" } satisfies ToLeader));
    void this.#live();
    void this.#lead(ears);
  }

  send(line: string): void {
    this.#leader.postMessage({ kind: "line", tab: this.#id, era: this.#era, line } satisfies ToLeader);
  }

  #open(): void {
    this.#leader.postMessage({ kind: "open", tab: this.#id } satisfies ToLeader);
  }

  /** Shows the leader that this tab lives. */
  async #live(): Promise<void> {
    await navigator.locks.request(tabLock(this.#id), () => {
      this.#open();
      return new Promise<never>(() => {});
    });
  }

  /**
   * Lets every tab forget what would open the store again, and the one that leads
   * lock: whoever locks and closes the page at once has locked all the same.
   */
  locking(): void {
    this.#all.postMessage({ kind: "locking", era: this.#era } satisfies ToAll);
    this.#forget(this.#era);
  }

  #forget(era: string): void {
    this.#locked.add(era).add(this.#era);
    this.#token = null;
    this.#leading?.locking();
  }

  #keep(era: string, token: string | null): void {
    this.#token = this.#locked.has(era) ? null : token;
  }

  /** What the last core left, when all has been heard that was said before it ended. */
  async #inherit(): Promise<string | null> {
    const mark = crypto.randomUUID();
    const echo = new BroadcastChannel(allChannel); // a channel does not hear itself
    await new Promise<void>((heard) => {
      this.#heard.set(mark, heard);
      echo.postMessage({ kind: "heard", mark } satisfies ToAll);
    });
    this.#heard.delete(mark);
    echo.close();
    return this.#token;
  }

  /**
   * Waits for its turn to lead, and leads for as long as the page lives. One tab
   * at a time has a core prepared while it waits, so that the others wait for none.
   */
  async #lead(ears: Ears): Promise<void> {
    for (;;) {
      let led: Promise<void> | undefined;
      await navigator.locks.request(nextLock, () => new Promise<void>((leads) => (led = this.#waitAndLead(leads)))).catch(() => {});
      try {
        await led;
        return; // the page is gone
      } catch {
        // Somebody took the lock by force. Two cores must never share a store.
        this.#leading?.stop();
        this.#leading = undefined;
        ears.down(new CoreError("busy", "another window took this device over: close it to go on here"));
      }
    }
  }

  #waitAndLead(leads: () => void): Promise<void> {
    let prepared: Worker | undefined;
    const preparing = setTimeout(() => {
      const core = prepareCore();
      prepared = core;
      // It says nothing before it leads but that it can't, as when the server
      // was gone: then the time to lead may find it there again.
      core.onmessage = core.onerror = () => {
        core.terminate();
        prepared = undefined;
      };
    }, settled);
    return navigator.locks.request(leaderLock, () => {
      clearTimeout(preparing);
      leads();
      const leader = new Leader(this.#inherit(), prepared ?? prepareCore());
      this.#leading = leader;
      // The core ends with the page, and the next one begins at once.
      return new Promise<void>((gone) => addEventListener("pagehide", () => (leader.stop(), gone()), { once: true }));
    });
  }
}
