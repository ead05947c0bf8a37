// The door as lines of JSON (docs/bridge.md), over whatever carries them.

import { CoreError, type Door, type ErrorCode, type Event, type Methods, type Params, type Result } from "./bridge";

/** What a pipe tells its door. */
export interface Ears {
  /** A line came from the core. */
  line(text: string): void;
  /** There is a core at the other end, and it knows of nothing that was asked before. */
  renewed(): void;
  /** There is none, and why. A later renewed may say otherwise. */
  down(error: CoreError): void;
}

/** A way to a core. Whatever is sent before it is renewed, or after the core behind it ended, is lost. */
export interface Pipe {
  listen(ears: Ears): void;
  send(line: string): void;
}

interface Line {
  id?: number;
  result?: unknown;
  error?: { code: ErrorCode; message: string };
  event?: Event;
  end?: string;
}

interface Asked {
  method: string;
  params: object;
  sent: boolean;
  done(result: unknown): void;
  fail(error: CoreError): void;
}

// Calls that do the same when they are made twice. send is among them because
// of its nonce. Of any other nobody can tell whether the core that ended had
// carried it out: the person looks and decides.
const repeatable: ReadonlySet<string> = new Set([
  "subscribe", "state", "invite", "unlock", "lock", "handover", "cancel",
  "me", "connection", "rename", "people", "safety", "checkSafety", "markVerified", "devices", "roomDevices",
  "rooms", "room", "setRoom", "preferences", "dismiss",
  "messages", "message", "history", "search", "send", "draft", "view", "typing",
  "settings", "setSettings", "sync",
]);

/** A door over a pipe. When another core takes over, it asks again what it may. */
export class LineDoor implements Door {
  readonly #pipe: Pipe;
  readonly #asked = new Map<number, Asked>();
  readonly #listeners = new Map<(event: Event) => void, () => void>();
  #last = 0;
  #up = false;
  #wasUp = false;
  #down: CoreError | undefined;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
    pipe.listen({
      line: (text) => this.#take(text),
      renewed: () => this.#renewed(),
      down: (error) => this.#fail(error),
    });
  }

  async call<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>> {
    if (method === "send" && !("nonce" in params)) params = { ...params, nonce: crypto.randomUUID() };
    return (await this.#ask(method, params, signal)) as Result<M>;
  }

  subscribe(listener: (event: Event) => void, lost: () => void): () => void {
    const first = this.#listeners.size === 0;
    this.#listeners.set(listener, lost);
    if (first && this.#up) this.#ask("subscribe", {}).catch(() => this.#lost());
    return () => this.#listeners.delete(listener);
  }

  #ask(method: string, params: object, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(canceled());
    if (this.#down !== undefined) return Promise.reject(this.#down);
    const id = ++this.#last;
    return new Promise((done, fail) => {
      const asked: Asked = { method, params, sent: false, done, fail };
      this.#asked.set(id, asked);
      signal?.addEventListener("abort", () => this.#asked.delete(id) && fail(canceled()), { once: true });
      if (this.#up) this.#send(id, asked);
    });
  }

  #send(id: number, asked: Asked): void {
    asked.sent = true;
    this.#pipe.send(JSON.stringify({ id, method: asked.method, params: asked.params }));
  }

  #take(text: string): void {
    const line = JSON.parse(text) as Line;
    if (line.event) for (const listener of [...this.#listeners.keys()]) listener(line.event);
    if (line.end !== undefined) this.#lost();
    if (line.id === undefined) return;
    const asked = this.#asked.get(line.id);
    this.#asked.delete(line.id);
    if (line.error) asked?.fail(new CoreError(line.error.code, line.error.message));
    else asked?.done(line.result);
  }

  #renewed(): void {
    const before = [...this.#asked];
    this.#up = true;
    this.#down = undefined;
    for (const [id, asked] of before) {
      if (!asked.sent || repeatable.has(asked.method)) {
        this.#send(id, asked);
      } else {
        this.#asked.delete(id);
        asked.fail(new CoreError("canceled", "another window took over in the middle: look whether it was done"));
      }
    }
    if (this.#wasUp) this.#lost(); // nobody told what happened between two cores
    else if (this.#listeners.size > 0) this.#ask("subscribe", {}).catch(() => this.#lost());
    this.#wasUp = true;
  }

  #fail(error: CoreError): void {
    this.#up = false;
    this.#wasUp = true; // whoever hears that there is no core wants to hear that there is one
    this.#down = error;
    for (const asked of this.#asked.values()) asked.fail(error);
    this.#asked.clear();
    this.#lost();
  }

  #lost(): void {
    const lost = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const tell of lost) tell();
  }
}

const canceled = () => new CoreError("canceled", "it was interrupted");
