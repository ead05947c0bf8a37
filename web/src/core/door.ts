// How the page comes to its core: a worker that the tabs share, or the program
// that serves the page.

import { CoreError, type Door } from "./bridge";
import { LineDoor, type Ears, type Pipe } from "./line";
import { openTab } from "../tabs/tab";

/** Opens the door that the page says it has. */
export function openDoor(): Door {
  const said = document.querySelector<HTMLMetaElement>('meta[name="sconce-door"]')?.content;
  if (said === "socket") return new LineDoor(new SocketPipe(`${location.origin.replace(/^http/, "ws")}/door`));
  return openTab();
}

const again = 1000;

/** What "sconce app" gave this tab: it opens the door, and no other page has it. */
function session(): string[] {
  const given = sessionStorage.getItem("sconce-session");
  return given === null ? ["sconce"] : ["sconce", `sconce.${given}`];
}

/** A pipe to the program that serves the page. It comes back when the program does. */
class SocketPipe implements Pipe {
  readonly #address: string;
  #socket: WebSocket | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  listen(ears: Ears): void {
    const socket = new WebSocket(this.#address, session());
    this.#socket = socket;
    socket.onopen = () => ears.renewed();
    socket.onmessage = ({ data }) => ears.line(String(data));
    socket.onclose = () => {
      ears.down(new CoreError("offline", "the program that serves this page does not answer"));
      setTimeout(() => this.listen(ears), again);
    };
  }

  send(line: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(line);
  }
}
