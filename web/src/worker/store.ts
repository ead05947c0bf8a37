import type { Database, PreparedStatement, Sqlite3Static } from "@sqlite.org/sqlite-wasm";

import { fileError, HostError, quota } from "./error";
import type { SQLite } from "./sqlite";

/** A store as Go calls it: client/browser/store.go. */
export interface StoreHandle {
  get(key: Uint8Array): Uint8Array | null;
  scan(start: Uint8Array, end: Uint8Array | null): Rows;
  /** All of a batch or nothing; on stable storage when it returns. */
  apply(batch: Uint8Array): void;
  close(): void;
}

/** What a scan gives, many rows at a time: lengths of key and value, then these. */
export interface Rows {
  next(): Uint8Array | null;
  close(): void;
}

const deleted = 0xffffffff; // the length of no value
const pageSize = 64 << 10; // of rows handed over at once
const maxLog = 4 << 20; // bytes, before the log is cut
const databasePage = 4096;

// Exclusive locking comes first: the pool has no shared memory, and a
// write-ahead log needs none when nobody else may come.
const settings = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA secure_delete = 1;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA temp_store = MEMORY;
  PRAGMA trusted_schema = 0;
  CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;`;

/** Opens the store of that name. full tells whether the browser is out of space. */
export async function openStore(sqlite: SQLite, name: string, full: () => boolean): Promise<StoreHandle> {
  const db = await sqlite.open(name);
  try {
    db.exec(settings);
    return new SQLiteStore(sqlite.lib, db, full);
  } catch (thrown) {
    db.close();
    throw full() ? quota() : fileError(thrown);
  }
}

class SQLiteStore implements StoreHandle {
  readonly #lib: Sqlite3Static;
  readonly #db: Database;
  readonly #full: () => boolean;
  readonly #get: PreparedStatement;
  readonly #put: PreparedStatement;
  readonly #delete: PreparedStatement;
  readonly #scans = new Map<string, PreparedStatement>();

  constructor(lib: Sqlite3Static, db: Database, full: () => boolean) {
    this.#lib = lib;
    this.#db = db;
    this.#full = full;
    this.#get = db.prepare("SELECT v FROM kv WHERE k = ?1");
    this.#put = db.prepare("INSERT INTO kv (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v");
    this.#delete = db.prepare("DELETE FROM kv WHERE k = ?1");
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#try(() => {
      this.#get.bind(1, key);
      try {
        return this.#get.step() ? this.#column(this.#get, 0).slice() : null;
      } finally {
        this.#get.reset(true);
      }
    });
  }

  scan(start: Uint8Array, end: Uint8Array | null): Rows {
    const text =
      end === null ? "SELECT k, v FROM kv WHERE k >= ?1 ORDER BY k" : "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k";
    const statement = this.#scans.get(text) ?? this.#db.prepare(text);
    this.#scans.set(text, statement);
    statement.bind(1, start);
    if (end !== null) statement.bind(2, end);
    let more = true; // to step past the end would begin anew
    const step = () => (more &&= statement.step());
    return {
      next: () => this.#try(() => this.#page(statement, step)),
      close: () => void statement.reset(true),
    };
  }

  /** The next rows of a scan, or null. */
  #page(statement: PreparedStatement, step: () => boolean): Uint8Array | null {
    let page = new Uint8Array(pageSize);
    let used = 0;
    while (used < pageSize / 2 && step()) {
      const key = this.#column(statement, 0);
      const value = this.#column(statement, 1);
      const need = used + 8 + key.length + value.length;
      if (need > page.length) {
        const larger = new Uint8Array(Math.max(need, 2 * page.length));
        larger.set(page);
        page = larger;
      }
      const view = new DataView(page.buffer);
      view.setUint32(used, key.length, true);
      view.setUint32(used + 4, value.length, true);
      page.set(key, used + 8);
      page.set(value, used + 8 + key.length);
      used = need;
    }
    return used === 0 ? null : page.subarray(0, used);
  }

  /** A blob of the current row, in SQLite's memory: valid until the next step. */
  #column(statement: PreparedStatement, index: number): Uint8Array {
    const { capi, wasm } = this.#lib;
    const at = Number(capi.sqlite3_column_blob(statement, index));
    return wasm.heap8u().subarray(at, at + capi.sqlite3_column_bytes(statement, index));
  }

  apply(batch: Uint8Array): void {
    this.#try(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        this.#write(batch);
        this.#db.exec("COMMIT");
      } catch (thrown) {
        this.#rollback();
        throw thrown;
      }
    });
    this.#cutLog(maxLog);
  }

  #write(batch: Uint8Array): void {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    for (let at = 0; at < batch.length; ) {
      const keyLength = view.getUint32(at, true);
      const valueLength = view.getUint32(at + 4, true);
      const key = batch.subarray(at + 8, at + 8 + keyLength);
      at += 8 + keyLength;
      if (valueLength === deleted) {
        this.#delete.bind(1, key).stepReset();
        continue;
      }
      this.#put.bind(1, key).bind(2, batch.subarray(at, at + valueLength)).stepReset();
      at += valueLength;
    }
    this.#put.clearBindings();
    this.#delete.clearBindings();
  }

  /** Some errors have rolled back already; then this one says so. */
  #rollback(): void {
    for (const statement of [this.#put, this.#delete]) statement.reset(true);
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      return;
    }
  }

  /**
   * Moves the log into the file when more than this was written to it, and cuts
   * it to nothing. What goes wrong is not told: the commit is done, and the
   * next one tries again.
   */
  #cutLog(most: number): void {
    const { capi, wasm } = this.#lib;
    const stack = wasm.pstack.pointer;
    try {
      // Pages written since the last time, and the peak, which is not kept.
      const counts = Number(wasm.pstack.alloc(8));
      const status = (reset: number) =>
        capi.sqlite3_db_status(this.#db, capi.SQLITE_DBSTATUS_CACHE_WRITE, counts, counts + 4, reset);
      status(0);
      if (wasm.peek32(counts) * databasePage <= most) return;
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      status(1);
    } catch {
      return;
    } finally {
      wasm.pstack.restore(stack);
    }
  }

  close(): void {
    this.#cutLog(-1);
    for (const statement of [this.#get, this.#put, this.#delete, ...this.#scans.values()]) statement.finalize();
    this.#db.close();
  }

  /** SQLite tells only that writing failed; why, a write of one's own finds out. */
  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      if (this.#full()) throw quota();
      throw new HostError("failed", `the store failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
}
