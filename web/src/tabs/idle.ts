/** Locks when nobody has touched any tab for a while. */
export class IdleLock {
  readonly #lock: () => void;
  #seconds = 0;
  #touched = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(lock: () => void) {
    this.#lock = lock;
  }

  /** Locks after so many seconds; 0 is never. */
  after(seconds: number): void {
    this.stop();
    this.#seconds = seconds;
    this.#touched = Date.now();
    // By the clock and not by a timer of that length: a computer that slept has
    // been idle all the while, and timers of hidden pages are late.
    if (seconds > 0) this.#timer = setInterval(() => this.#look(), 1000);
  }

  /** Somebody is there. */
  touch(): void {
    this.#look(); // whoever comes back too late finds it locked
    this.#touched = Date.now();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#seconds = 0;
  }

  #look(): void {
    if (this.#seconds === 0 || Date.now() - this.#touched < 1000 * this.#seconds) return;
    this.stop();
    this.#lock();
  }
}

const every = 5000;

/** Calls touched while somebody uses this page, but not all the time. */
export function watchTouches(touched: () => void): void {
  let last = 0;
  const touch = () => {
    if (Date.now() - last < every) return;
    last = Date.now();
    touched();
  };
  for (const event of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(event, touch, { capture: true, passive: true });
  }
}
