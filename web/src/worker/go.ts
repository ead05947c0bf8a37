// Go in a worker: Go's own support script, and the program as WASM held to the
// hash that the build wrote down.

import "./gen/wasm_exec.js";
import { integrity, url } from "./gen/sconce.wasm?integrity";
import { compileHeld } from "./held";

interface GoRuntime {
  argv: string[];
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

/** The hash of the program. */
export const build = integrity;

/** Loads the program. */
export function compile(): Promise<WebAssembly.Module> {
  return compileHeld(url, integrity);
}

/**
 * Starts the program, and returns when it has called sconceReady. ended is
 * called if it stops after that, which it never does by itself.
 */
export async function start(module: WebAssembly.Module, args: string[], ended: () => void): Promise<void> {
  const { Go } = globalThis as unknown as { Go: new () => GoRuntime };
  const go = new Go();
  go.argv = ["sconce", ...args];
  const ready = new Promise<void>((resolve) => Object.assign(globalThis, { sconceReady: resolve }));
  const instance = await WebAssembly.instantiate(module, go.importObject);
  const over = go.run(instance).then(ended, ended);
  await Promise.race([
    ready,
    over.then(() => {
      throw new Error("the program stopped before it was ready");
    }),
  ]);
}
