// The worker that owns the client's core. Several tabs speak with it through
// the one that started it; each has a line of its own.

import { HostError } from "./error";
import { build, compile, start } from "./go";

/** What the core is told. Before it leads it does all that the store is not needed for. */
export type ToCore =
  /** The store is this worker's now. */
  | { kind: "lead" }
  | { kind: "open"; tab: string }
  | { kind: "line"; tab: string; line: string }
  | { kind: "close"; tab: string };

/** What the core tells. */
export type FromCore =
  | { kind: "ready"; persistent: boolean }
  | { kind: "failed"; code: string; message: string }
  | { kind: "line"; tab: string; line: string }
  /** The core ended this tab's line: it took too much, or too little. */
  | { kind: "closed"; tab: string };

interface Line {
  send(line: string): void;
  close(): void;
}

interface Core {
  connect(onLine: (line: string) => void, onClose: () => void): Line;
  /** Begins to do everything once beforehand, and gives what ends that. */
  rehearse(): () => void;
}

const tell = (message: FromCore) => postMessage(message);
const lines = new Map<string, Line>();

function listen(core: Core): void {
  addEventListener("message", ({ data }: MessageEvent<ToCore>) => {
    if (data.kind === "lead") return;
    const { tab } = data;
    switch (data.kind) {
      case "open":
        lines.get(tab)?.close();
        lines.set(
          tab,
          core.connect(
            (line) => tell({ kind: "line", tab, line }),
            () => tell({ kind: "closed", tab }),
          ),
        );
        break;
      case "line":
        lines.get(tab)?.send(data.line);
        break;
      case "close":
        lines.get(tab)?.close();
        lines.delete(tab);
        break;
    }
  });
}

function failed(thrown: unknown): void {
  const code = thrown instanceof HostError ? thrown.code : "failed";
  tell({ kind: "failed", code, message: thrown instanceof Error ? thrown.message : String(thrown) });
}

async function boot(): Promise<void> {
  // The page may speak before the core can listen.
  const early: MessageEvent<ToCore>[] = [];
  let leads = false;
  let lead = () => {};
  const mayLead = new Promise<void>((resolve) => {
    lead = () => {
      leads = true;
      resolve();
    };
  });
  const keep = (event: MessageEvent<ToCore>) => (event.data.kind === "lead" ? lead() : void early.push(event));
  addEventListener("message", keep);
  // The program is the longest way: it is under way before the rest is read.
  const program = compile();
  const { makeHost } = await import("./host");
  const host = makeHost(program, build);
  const taken = mayLead.then(() => host.take());
  taken.catch(() => {}); // it is told below
  Object.assign(globalThis, { sconceHost: host });
  await start(await program, [], () => failed(new Error("the core stopped")));
  const core = (globalThis as unknown as { sconceCore: Core }).sconceCore;
  if (!leads) void mayLead.then(core.rehearse());
  await taken;
  listen(core);
  removeEventListener("message", keep);
  tell({ kind: "ready", persistent: host.persistent });
  for (const { data } of early) dispatchEvent(new MessageEvent("message", { data }));
}

boot().catch(failed);
