import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { compileHeld } from "./held";

const program = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]); // the least that is WASM
const hash = `sha384-${createHash("sha384").update(program).digest("base64")}`;

function serve(bytes: Uint8Array<ArrayBuffer>, status = 200): void {
  vi.stubGlobal("fetch", async () => new Response(bytes, { status, headers: { "Content-Type": "application/wasm" } }));
}

describe("a program held to its hash", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("is given out when it is the one", async () => {
    serve(program);
    expect(await compileHeld("/core.wasm", hash)).toBeInstanceOf(WebAssembly.Module);
  });

  it("is refused when it is another, though that is a program too", async () => {
    serve(new Uint8Array([...program, 0, 2, 1, 0x78])); // with a section that says nothing
    await expect(compileHeld("/core.wasm", hash)).rejects.toThrow("not the one");
  });

  it("is refused when it is none, or does not come", async () => {
    serve(new Uint8Array([1, 2, 3]));
    await expect(compileHeld("/core.wasm", hash)).rejects.toThrow();
    serve(program, 404);
    await expect(compileHeld("/core.wasm", hash)).rejects.toThrow();
  });
});
