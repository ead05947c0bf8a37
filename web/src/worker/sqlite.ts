import sqlite3InitModule, { type Database, type SAHPoolUtil, type Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { integrity, url } from "@sqlite.org/sqlite-wasm/sqlite3.wasm?integrity";

import { fileError } from "./error";
import { whenFree } from "./opfs";

/** SQLite in this worker, with its files in the private file system or in memory. */
export interface SQLite {
  readonly lib: Sqlite3Static;
  /** Opens a database; only in memory is it new each time. */
  open(name: string): Promise<Database>;
  /** Whether there is such a database. */
  has(name: string): boolean;
  /** Deletes a database that is closed. */
  remove(name: string): void;
}

// Of its file systems only the pool is used. Each of the others would start a
// worker of its own or write where nobody looks.
const config = {
  disable: { vfs: { opfs: true, "opfs-vfs": true, "opfs-wl": true, kvvfs: true } },
  // What SQLite says on its own holds file names at most; nobody reads it.
  log: () => {},
  warn: () => {},
  debug: () => {},
  error: () => {},
};

/** Loads SQLite itself, which opens nothing yet. */
export async function loadLibrary(): Promise<Sqlite3Static> {
  Object.assign(globalThis, { sqlite3ApiConfig: config });
  const options = {
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      void WebAssembly.instantiateStreaming(fetch(url, { integrity }), imports).then(({ instance }) => done(instance), fail);
      return {};
    },
  };
  // Emscripten waits for ever for an instance that doesn't come.
  let fail: (reason: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  return Promise.race([(sqlite3InitModule as (o: typeof options) => Promise<Sqlite3Static>)(options), failed]);
}

/** SQLite with its files. Nobody else may have them open. */
export async function onFiles(lib: Sqlite3Static): Promise<SQLite> {
  let again = false;
  const pool = await whenFree(async () => {
    const options = {
      name: "sconce",
      directory: "/sconce/pool",
      initialCapacity: 4, // a database, its log, a journal, and one to spare
      verbosity: 0,
      preserveOnInitFailure: true,
      forceReinitIfPreviouslyFailed: again,
    };
    again = true;
    return (await lib.installOpfsSAHPoolVfs(options)) as SAHPoolUtil;
  });
  const path = (name: string) => `/${name}.db`;
  return {
    lib,
    async open(name) {
      try {
        await pool.reserveMinimumCapacity(pool.getFileNames().length + 3);
        return new pool.OpfsSAHPoolDb(path(name));
      } catch (thrown) {
        throw fileError(thrown);
      }
    },
    has: (name) => pool.getFileNames().includes(path(name)),
    remove(name) {
      for (const suffix of ["", "-wal", "-journal"]) pool.unlink(path(name) + suffix);
    },
  };
}

/** SQLite that forgets everything with the worker. */
export function inMemory(lib: Sqlite3Static): SQLite {
  return {
    lib,
    open: async () => new lib.oo1.DB(":memory:"),
    has: () => false,
    remove() {},
  };
}
