// A program held to its hash, without waiting for its last byte to begin with it.

/**
 * Fetches a WASM program, and compiles it while it comes: fetch, if it were told
 * the hash, would give no byte before it had them all. To compile runs nothing;
 * what does not have the hash is never given out. hash is as in HTML's
 * integrity, of SHA-384.
 */
export async function compileHeld(url: string, hash: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  const copy = response.clone();
  const [module, found] = await Promise.all([
    WebAssembly.compileStreaming(response),
    copy.arrayBuffer().then((bytes) => crypto.subtle.digest("SHA-384", bytes)),
  ]);
  if (`sha384-${btoa(String.fromCharCode(...new Uint8Array(found)))}` !== hash) throw new TypeError("the program is not the one that this page was built with");
  return module;
}
