// The page that a Go test steers: it starts and ends workers as the test says,
// and passes on what they print.

import { ourScript } from "../../src/core/trusted";
import workerURL from "./worker.ts?worker&url";

interface Run {
  op: "run";
  id: number;
  program: string;
  args: string[];
  stopAfter: number;
  noFiles: boolean;
}
type Command = Run | { op: "end"; id: number };

const workers = new Map<number, Worker>();
const control = new WebSocket(`ws://${location.host}/control`);
const tell = (message: object) => control.send(JSON.stringify(message));

control.onmessage = ({ data }: MessageEvent<string>) => {
  const command = JSON.parse(data) as Command;
  const { id } = command;
  if (command.op === "end") {
    workers.get(id)?.terminate();
    workers.delete(id);
    tell({ id, kind: "ended" });
    return;
  }
  const worker = new Worker(ourScript(workerURL), { type: "module", name: `test-${id}` });
  workers.set(id, worker);
  worker.onmessage = (event: MessageEvent<{ kind: string }>) => {
    // Its files are free when the worker is gone, and not before.
    if (event.data.kind === "exit") worker.terminate();
    tell({ id, ...event.data });
  };
  worker.onerror = (event) => tell({ id, kind: "exit", code: -1, line: event.message });
  worker.postMessage(command);
};
addEventListener("securitypolicyviolation", (event) => {
  tell({ id: 0, kind: "violation", line: `${event.violatedDirective} ${event.blockedURI}` });
});
