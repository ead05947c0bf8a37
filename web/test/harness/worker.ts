// A worker that runs one Go program over the same files as the product does.

import { flush } from "./fs";
import { compile } from "../../src/worker/go";
import { makeHost } from "../../src/worker/host";

interface Run {
  program: string;
  args: string[];
  stopAfter: number;
  noFiles: boolean;
}

interface GoRuntime {
  argv: string[];
  importObject: WebAssembly.Imports;
  exit(code: number): void;
  run(instance: WebAssembly.Instance): Promise<void>;
}

/**
 * Makes the worker stand still for ever before its nth change to any file:
 * what a change leaves behind when nothing comes after it.
 */
function standStillAfter(changes: number): void {
  const { FileSystemSyncAccessHandle: handle } = globalThis as unknown as {
    FileSystemSyncAccessHandle: { prototype: Record<string, (...args: unknown[]) => unknown> };
  };
  let left = changes;
  for (const method of ["write", "truncate", "flush"]) {
    const original = handle.prototype[method];
    if (original === undefined) throw new Error(`there is no ${method}`);
    handle.prototype[method] = function (this: unknown, ...args: unknown[]) {
      if (left-- <= 0) {
        postMessage({ kind: "stuck" });
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return original.apply(this, args);
    };
  }
}

addEventListener("securitypolicyviolation", (event) => {
  const { violatedDirective, blockedURI } = event as SecurityPolicyViolationEvent;
  postMessage({ kind: "violation", line: `${violatedDirective} ${blockedURI}` });
});

addEventListener("message", async ({ data }: MessageEvent<Run>) => {
  try {
    // As in the private windows of some browsers.
    if (data.noFiles) Object.defineProperty(navigator.storage, "getDirectory", { value: () => Promise.reject(new DOMException("no", "SecurityError")) });
    const module = WebAssembly.compileStreaming(fetch(data.program));
    const host = makeHost(compile(), "test");
    await host.take();
    Object.assign(globalThis, { sconceHost: host, sconceReady: () => {} });
    const { Go } = globalThis as unknown as { Go: new () => GoRuntime };
    const go = new Go();
    go.argv = ["test", ...data.args];
    let code = 0;
    go.exit = (status) => void (code = status);
    const instance = await WebAssembly.instantiate(await module, go.importObject);
    Object.assign(globalThis, { sconceMemory: instance.exports["mem"] });
    // Counted from when the program asks, so that opening is not what is stopped.
    Object.assign(globalThis, { stopAfter: () => data.stopAfter >= 0 && standStillAfter(data.stopAfter) });
    await go.run(instance);
    flush();
    postMessage({ kind: "exit", code });
  } catch (thrown) {
    postMessage({ kind: "exit", code: -1, line: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
  }
});
