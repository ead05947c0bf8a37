// The way to a core in the program that serves the page, as "sconce app" does.

import { CoreError } from "./bridge";
import type { Ears, Pipe } from "./line";

const again = 1000;

/** What "sconce app" gave this tab: the session opens the door, and no other page has it. */
function session(): string[] {
  const given = sessionStorage.getItem("sconce-session");
  return given === null ? ["sconce"] : ["sconce", `sconce.${given}`];
}

/**
 * A pipe to the program that serves the page. It comes back when the program
 * does. Once that has ended, others on the computer can listen in its place: so
 * whoever is there must first show the proof that came with the session, and is
 * told nothing before.
 */
export class SocketPipe implements Pipe {
  readonly #address: string;
  #socket: WebSocket | undefined;
  #proved = false;

  constructor(address: string) {
    this.#address = address;
  }

  listen(ears: Ears): void {
    const socket = new WebSocket(this.#address, session());
    this.#socket = socket;
    this.#proved = false;
    socket.onmessage = ({ data }) => {
      if (this.#proved) {
        ears.line(String(data));
      } else if (data === sessionStorage.getItem("sconce-proof")) {
        this.#proved = true;
        ears.renewed();
      } else {
        socket.onclose = null; // it is not asked again
        socket.close();
        ears.down(new CoreError("failed", "another program answers in the place of Sconce: close this window, and open it anew with sconce app"));
      }
    };
    socket.onclose = () => {
      this.#proved = false;
      ears.down(new CoreError("offline", "the program that serves this page does not answer"));
      setTimeout(() => this.listen(ears), again);
    };
  }

  /** Somebody is there: the program locks when it has not heard so for as long as its person wishes. */
  touch(): void {
    this.send("");
  }

  send(line: string): void {
    if (this.#proved && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(line);
  }
}
