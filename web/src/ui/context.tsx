import { createContext, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { AppState } from "../core/next";
import type { Look } from "../core/look";
import type { Session } from "../core/store";

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("drawn outside of the page");
  return session;
}

/** A part of the state; draws anew when that part is another one. */
export function useApp<T>(part: (state: AppState) => T): T {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => part(session.state));
}

export interface Wearing {
  look: Look;
  change: (change: Partial<Look>) => void;
}

export const LookContext = createContext<Wearing | undefined>(undefined);

export function useLook(): Wearing {
  const wearing = useContext(LookContext);
  if (!wearing) throw new Error("drawn outside of the page");
  return wearing;
}

/** Things of the desk that any screen may ask for. */
export interface Desk {
  open: (what: "switcher" | "shortcuts" | "settings" | "new" | "search" | "devices", about?: string) => void;
  details: (open: boolean) => void;
  /** Puts the list away beside an open room, or brings it back. */
  fold: (folded: boolean) => void;
  detailsOpen: boolean;
  /** Leaves the room for the list, where one pane is shown at a time. */
  back: () => void;
  /** Asks before it opens a link that somebody sent. */
  follow: (url: string, text: string) => void;
  /** Shows a person, or right away the number to compare with them. */
  person: (user: string, compare?: boolean) => void;
}

export const DeskContext = createContext<Desk | undefined>(undefined);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (!desk) throw new Error("drawn outside of the desk");
  return desk;
}

const beats = new Map<number, { now: number; listeners: Set<() => void>; timer: ReturnType<typeof setInterval> }>();

/** The time, renewed every so many milliseconds; all that ask for the same beat share one clock. */
export function useNow(every: number): number {
  const subscribe = useCallback((listener: () => void) => {
    if (every <= 0) return () => undefined;
    let beat = beats.get(every);
    if (!beat) {
      const made = { now: Date.now(), listeners: new Set<() => void>(), timer: setInterval(() => {
        made.now = Date.now();
        for (const l of made.listeners) l();
      }, every) };
      beats.set(every, (beat = made));
    }
    const { listeners, timer } = beat;
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      beats.delete(every);
    };
  }, [every]);
  const [start] = useState(() => Date.now());
  return useSyncExternalStore(subscribe, () => beats.get(every)?.now ?? start);
}

/** A function that always sees the newest render, and is always the same. */
export function useSteady<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R {
  const ref = useRef(f);
  useEffect(() => {
    ref.current = f;
  });
  return useCallback((...args: A) => ref.current(...args), []);
}

/** Whether the page is too narrow for panes side by side, at the size of text that its person reads. */
export function useNarrow(rem = 46): boolean {
  const subscribe = useCallback((listener: () => void) => {
    const watch = new ResizeObserver(listener);
    watch.observe(document.documentElement);
    return () => watch.disconnect();
  }, []);
  return useSyncExternalStore(subscribe, () => innerWidth / parseFloat(getComputedStyle(document.documentElement).fontSize) < rem);
}
