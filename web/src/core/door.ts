// How the page comes to its core: a worker that the tabs share, or the program
// that serves the page.

import type { Door } from "./bridge";
import { LineDoor } from "./line";
import { SocketPipe } from "./socket";
import { watchTouches } from "../tabs/idle";
import { openTab } from "../tabs/tab";

/** Whether the program that serves the page has the core, as "sconce app" does: without it the page is nothing. */
export function coreIsServed(): boolean {
  return document.querySelector<HTMLMetaElement>('meta[name="sconce-door"]')?.content === "socket";
}

/** Opens the door that the page says it has. */
export function openDoor(): Door {
  if (!coreIsServed()) return openTab();
  const pipe = new SocketPipe(`${location.origin.replace(/^http/, "ws")}/door`);
  watchTouches(() => pipe.touch());
  return new LineDoor(pipe);
}
