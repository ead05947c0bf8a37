import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Door, Event } from "../core/bridge";
import { lockWhenIdle } from "./idle";

/** A door to sconce app, which is open, and whose person wishes to be locked out after a minute. */
function app() {
  let open = true;
  let tell: (event: Event) => void = () => undefined;
  const asked: string[] = [];
  const door = {
    call: (method: string) => {
      if (method === "lock") {
        asked.push("lock");
        open = false;
      }
      return open ? Promise.resolve({ idleLock: 60 }) : Promise.reject(new Error("locked"));
    },
    subscribe: (listener: (event: Event) => void) => {
      tell = listener;
      return () => undefined;
    },
  } as unknown as Door;
  return { door, asked, tell: (event: Event) => tell(event), unlock: () => (open = true) };
}

const state = (s: "open" | "locked"): Event => ({ state: { state: s, persistent: true, version: "1", build: "b", kind: "native" } });

describe("a page before sconce app", () => {
  let touch: () => void;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("addEventListener", (_: string, listener: () => void) => (touch = listener));
  });

  it("locks when nobody has touched it for as long as its person wishes", async () => {
    const { door, asked, tell, unlock } = app();
    lockWhenIdle(door);
    await vi.advanceTimersByTimeAsync(50_000);
    touch();
    await vi.advanceTimersByTimeAsync(50_000);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(asked).toEqual(["lock"]);
    tell(state("locked"));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(asked).toEqual(["lock"]);
    unlock();
    tell(state("open"));
    await vi.advanceTimersByTimeAsync(62_000);
    expect(asked).toEqual(["lock", "lock"]);
  });

  it("keeps to a wish that changes", async () => {
    const { door, asked, tell } = app();
    lockWhenIdle(door);
    await vi.advanceTimersByTimeAsync(10_000);
    tell({ settings: { receipts: true, typing: true, previews: false, idleLock: 0 } });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(asked).toEqual([]);
  });
});
