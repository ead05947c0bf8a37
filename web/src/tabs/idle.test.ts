import { beforeEach, describe, expect, it, vi } from "vitest";
import { IdleLock, watchTouches } from "./idle";

describe("the idle lock", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  it("locks once when nobody has touched it for as long as its person wishes", () => {
    const lock = vi.fn();
    const idle = new IdleLock(lock);
    idle.after(60);
    vi.advanceTimersByTime(50_000);
    idle.touch();
    vi.advanceTimersByTime(50_000);
    expect(lock).not.toHaveBeenCalled();
    vi.advanceTimersByTime(15_000);
    expect(lock).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(300_000);
    expect(lock).toHaveBeenCalledTimes(1);
    idle.after(60);
    vi.advanceTimersByTime(62_000);
    expect(lock).toHaveBeenCalledTimes(2);
  });

  it("keeps to a wish that changes", () => {
    const lock = vi.fn();
    const idle = new IdleLock(lock);
    idle.after(60);
    vi.advanceTimersByTime(10_000);
    idle.after(0);
    vi.advanceTimersByTime(600_000);
    expect(lock).not.toHaveBeenCalled();
  });
});

describe("touches", () => {
  it("are told, but not all the time", () => {
    vi.useFakeTimers();
    let move: () => void = () => undefined;
    vi.stubGlobal("addEventListener", (_: string, listener: () => void) => (move = listener));
    const touched = vi.fn();
    watchTouches(touched);
    for (let i = 0; i < 100; i++) {
      move();
      vi.advanceTimersByTime(100);
    }
    expect(touched).toHaveBeenCalledTimes(2);
  });
});
