import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CoreError } from "./bridge";
import { SocketPipe } from "./socket";

/** A socket whose other end is the test. */
class Socket {
  static readonly OPEN = 1;
  static made: Socket[] = [];
  readyState = 1;
  sent: string[] = [];
  closed = false;
  onmessage?: (event: { data: unknown }) => void;
  onclose?: (() => void) | null;

  constructor(readonly address: string, readonly protocols: string[]) {
    Socket.made.push(this);
  }

  send(line: string): void {
    this.sent.push(line);
  }

  close(): void {
    this.closed = true;
    this.onclose?.();
  }
}

/** A pipe on a tab that was given a session, its newest socket, and what its door hears. */
function tab() {
  const heard: string[] = [];
  const pipe = new SocketPipe("ws://127.1.2.3:4711/door");
  pipe.listen({ line: (text) => heard.push(text), renewed: () => heard.push("renewed"), down: (e: CoreError) => heard.push(e.code) });
  return { pipe, heard, socket: () => Socket.made.at(-1)! };
}

describe("the way to sconce app", () => {
  beforeEach(() => {
    const kept: Record<string, string> = { "sconce-session": "s", "sconce-proof": "p" };
    vi.stubGlobal("sessionStorage", { getItem: (key: string) => kept[key] ?? null });
    vi.stubGlobal("WebSocket", Socket);
    vi.useFakeTimers();
    Socket.made = [];
  });

  it("carries lines once the program has shown its proof", () => {
    const { pipe, heard, socket } = tab();
    expect(socket().protocols).toEqual(["sconce", "sconce.s"]);
    pipe.send("early");
    socket().onmessage?.({ data: "p" });
    pipe.send("line");
    socket().onmessage?.({ data: "answer" });
    expect([heard, socket().sent]).toEqual([["renewed", "answer"], ["line"]]);
  });

  it("tells nothing to who took the program's place", () => {
    const { pipe, heard, socket } = tab();
    socket().onmessage?.({ data: "p" });
    socket().close();
    vi.advanceTimersByTime(1000);
    expect(Socket.made.length).toBe(2);
    pipe.send("passphrase");
    socket().onmessage?.({ data: '{"event":{"state":{"state":"locked"}}}' });
    pipe.send("passphrase");
    expect([heard, socket().sent, socket().closed]).toEqual([["renewed", "offline", "failed"], [], true]);
    vi.advanceTimersByTime(60_000);
    expect(Socket.made.length).toBe(2);
  });

  it("takes no proof where it was given none", () => {
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    const { heard, socket } = tab();
    socket().onmessage?.({ data: "null" });
    expect(heard).toEqual(["failed"]);
  });
});
