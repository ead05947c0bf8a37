// One tab among those that share a core. Whichever holds the lock leads; the
// others wait for it, and one of them leads as soon as it is gone.

import { CoreError, type Door } from "../core/bridge";
import { LineDoor, type Ears, type Pipe } from "../core/line";
import { allChannel, leaderChannel, leaderLock, tabChannel, tabLock, type ToAll, type ToLeader, type ToTab } from "./channel";
import { watchTouches } from "./idle";
import { coreError, Leader, prepareCore } from "./leader";

// How long a page has for itself before it prepares for what may never come.
const settled = 1500;

/** Opens a door to the core that all tabs share, and leads if nobody does. */
export function openTab(): Door {
  return new LineDoor(new TabPipe());
}

class TabPipe implements Pipe {
  readonly #id = crypto.randomUUID();
  readonly #leader = new BroadcastChannel(leaderChannel);
  readonly #all = new BroadcastChannel(allChannel);
  readonly #own = new BroadcastChannel(tabChannel(this.#id));
  #era = "";
  // In memory alone: with the last tab it is gone, and so is the open store.
  #token: string | null = null;

  listen(ears: Ears): void {
    this.#all.onmessage = ({ data }: MessageEvent<ToAll>) => {
      switch (data.kind) {
        case "leading":
          if (data.era !== this.#era) this.#open();
          break;
        case "token":
          this.#token = data.token;
          break;
        case "failed":
          ears.down(coreError(data.code, data.message));
          break;
      }
    };
    this.#own.onmessage = ({ data }: MessageEvent<ToTab>) => {
      if (data.kind === "opened") {
        this.#era = data.era;
        this.#token = data.token;
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
   * Waits for its turn to lead, and leads for as long as the page lives. While it
   * waits it has a core prepared, so that the others wait for none.
   */
  async #lead(ears: Ears): Promise<void> {
    for (;;) {
      let leader: Leader | undefined;
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
      try {
        await navigator.locks.request(leaderLock, () => {
          clearTimeout(preparing);
          leader = new Leader(this.#token, prepared ?? prepareCore());
          // The core ends with the page, and before the next leader begins.
          addEventListener("pagehide", () => leader?.stop(), { once: true });
          return new Promise<never>(() => {});
        });
      } catch {
        // Somebody took the lock by force. Two cores must never share a store.
        leader?.stop();
        ears.down(new CoreError("busy", "another window took this device over: close it to go on here"));
      }
    }
  }
}
