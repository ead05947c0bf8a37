import { CoreError, type Door, type ErrorCode, type Event, type Methods, type Params, type Result } from "./bridge";

interface Line {
  id?: number;
  result?: unknown;
  error?: { code: ErrorCode; message: string };
  event?: Event;
  end?: string;
}

/** The door to the core: over the socket of the program that serves this page. */
export function openDoor(): Door {
  return new SocketDoor(`${location.origin.replace(/^http/, "ws")}/door`);
}

const again = 1_000;

class SocketDoor implements Door {
  #open?: Promise<WebSocket>;
  #next = 0;
  #waiting = new Map<number, { done: (result: unknown) => void; fail: (error: CoreError) => void }>();
  #listeners = new Map<(e: Event) => void, () => void>();

  constructor(readonly address: string) {}

  async call<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>> {
    return (await this.#ask(method, params, signal)) as Result<M>;
  }

  subscribe(listener: (e: Event) => void, lost: () => void): () => void {
    this.#listeners.set(listener, lost);
    this.#ask("subscribe", {}).catch(() => this.#lost());
    return () => this.#listeners.delete(listener);
  }

  async #ask(method: string, params: object, signal?: AbortSignal): Promise<unknown> {
    const socket = await this.#connected();
    const id = ++this.#next;
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail });
      signal?.addEventListener("abort", () => this.#waiting.delete(id) && fail(new CoreError("canceled", "canceled")));
      socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #connected(): Promise<WebSocket> {
    this.#open ??= new Promise((done, fail) => {
      const socket = new WebSocket(this.address);
      socket.onopen = () => done(socket);
      socket.onmessage = (e) => this.#take(String(e.data));
      socket.onclose = () => {
        fail(new CoreError("offline", "the program that serves this page does not answer"));
        this.#lost();
      };
    });
    return this.#open;
  }

  #take(text: string): void {
    const line = JSON.parse(text) as Line;
    if (line.event) for (const l of this.#listeners.keys()) l(line.event);
    if (line.end !== undefined) this.#tellLost();
    const asked = line.id === undefined ? undefined : this.#waiting.get(line.id);
    if (!asked || line.id === undefined) return;
    this.#waiting.delete(line.id);
    if (line.error) asked.fail(new CoreError(line.error.code, line.error.message));
    else asked.done(line.result);
  }

  #lost(): void {
    if (!this.#open) return;
    this.#open = undefined;
    for (const w of this.#waiting.values()) w.fail(new CoreError("offline", "the connection to the core was lost"));
    this.#waiting.clear();
    setTimeout(() => this.#tellLost(), again);
  }

  #tellLost(): void {
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const lost of listeners) lost();
  }
}
