// How the page comes to its core: a worker that the tabs share, or the program
// that serves the page.

import type { Door } from "./bridge";
import { LineDoor } from "./line";
import { SocketPipe } from "./socket";
import { lockWhenIdle } from "../tabs/idle";
import { openTab } from "../tabs/tab";

/** Opens the door that the page says it has. */
export function openDoor(): Door {
  const said = document.querySelector<HTMLMetaElement>('meta[name="sconce-door"]')?.content;
  if (said === "socket") {
    const door = new LineDoor(new SocketPipe(`${location.origin.replace(/^http/, "ws")}/door`));
    lockWhenIdle(door);
    return door;
  }
  return openTab();
}
