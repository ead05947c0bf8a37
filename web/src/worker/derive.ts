// The throw-away worker in which a passphrase becomes a key. That takes 64 MiB,
// and the memory of a WASM program never shrinks: so it gets one of its own,
// which ends with the answer.

import { start } from "./go";
import type { Derivation, Derived } from "./host";

type Derive = (passphrase: Uint8Array, salt: Uint8Array, passes: number, memoryKiB: number, lanes: number) => Uint8Array;

addEventListener("message", async ({ data }: MessageEvent<Derivation>) => {
  let answer: Derived;
  try {
    await start(data.module, ["derive"], () => {});
    const { sconceDerive } = globalThis as unknown as { sconceDerive: Derive };
    answer = { key: sconceDerive(data.passphrase, data.salt, data.passes, data.memoryKiB, data.lanes) };
  } catch (thrown) {
    answer = { failed: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  postMessage(answer);
});
