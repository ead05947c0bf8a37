import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

const suffix = "?integrity";

const unused = [
  ['new URL("sqlite3-worker1.mjs", import.meta.url)', '"about:blank"'],
  ['new URL("sqlite3-opfs-async-proxy.js", import.meta.url)', '"about:blank"'],
] as const;

/**
 * Lets a script import "./file?integrity" and get the file's URL in the build
 * and the hash that fetch() is to hold it to. Workers are built apart, so the
 * plugin belongs both in "plugins" and in "worker.plugins".
 */
export function integrity(): Plugin {
  return {
    name: "sconce:integrity",
    enforce: "pre",
    async resolveId(source, importer) {
      if (!source.endsWith(suffix)) return null;
      const file = await this.resolve(source.slice(0, -suffix.length), importer, { skipSelf: true });
      return file === null ? null : file.id + suffix;
    },
    // SQLite's package names two workers of its own, which nothing here starts:
    // without these words the build does not carry them.
    transform(code, id) {
      if (!id.endsWith("/@sqlite.org/sqlite-wasm/dist/index.mjs")) return null;
      let left = code;
      for (const [worker, instead] of unused) {
        if (!left.includes(worker)) this.error(`SQLite's package does not say ${worker} any more`);
        left = left.replaceAll(worker, instead);
      }
      return { code: left, map: null };
    },
    async load(id) {
      if (!id.endsWith(suffix)) return null;
      const file = id.slice(0, -suffix.length);
      this.addWatchFile(file);
      const hash = createHash("sha384").update(await readFile(file)).digest("base64");
      return `export { default as url } from ${JSON.stringify(file + "?url")};
export const integrity = ${JSON.stringify("sha384-" + hash)};`;
    },
  };
}
