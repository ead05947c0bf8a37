// What Go finds in its worker: the global "sconceHost". client/browser is the
// other side of it.

import { ourScript } from "../core/trusted";
import deriveURL from "./derive.ts?worker&url";
import type { Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { HostError, fileError, quota } from "./error";
import { keyringOn, memoryFile, openKeyring, type KeyringHandle } from "./keyring";
import { openFile, privateFolder, type SyncFile } from "./opfs";
import { inMemory, loadLibrary, onFiles, type SQLite } from "./sqlite";
import { openStore, type StoreHandle } from "./store";

export interface Host {
  readonly origin: string;
  readonly persistent: boolean;
  readonly build: string;
  openStore(name: string): Promise<StoreHandle>;
  openKeyring(name: string): Promise<KeyringHandle>;
  /** Whether a store of that name was ever made. */
  hasStore(name: string): boolean;
  /** Whether the browser gives no more space. */
  full(): boolean;
  /** Removes a store and its keyring, which must be closed. */
  wipe(name: string): Promise<void>;
  /** A store and a keyring in memory, for what a core does before it leads. */
  rehearsal(): Promise<{ store: StoreHandle; keyring: KeyringHandle }>;
  /** Argon2id, in a worker that is ended for it. */
  derive(passphrase: Uint8Array, salt: Uint8Array, passes: number, memoryKiB: number, lanes: number): Promise<Uint8Array>;
}

/** What the throw-away worker is told, and what it answers. */
export interface Derivation {
  module: WebAssembly.Module;
  passphrase: Uint8Array;
  salt: Uint8Array;
  passes: number;
  memoryKiB: number;
  lanes: number;
}
export type Derived = { key: Uint8Array } | { failed: string };

/** The host of a worker that may come to lead. */
export interface WaitingHost extends Host {
  /** Takes the store's files. Until it has them, nothing may ask for them. */
  take(): Promise<void>;
}

/** Makes the host of this worker, while the program is still on its way. */
export function makeHost(module: Promise<WebAssembly.Module>, build: string): WaitingHost {
  const library = loadLibrary();
  const folder = privateFolder();
  for (const early of [library, folder]) early.catch(() => {}); // whoever takes the files is told
  let persistent = false;
  let taken: Files | undefined;
  const files = () => {
    if (taken === undefined) throw new HostError("failed", "the store's files are not taken yet");
    return taken;
  };
  return {
    origin: location.origin,
    get persistent() {
      return persistent;
    },
    build,
    async take() {
      const place = await folder;
      taken = place === undefined ? inNoFiles(inMemory(await library)) : await inFolder(place, library);
      persistent = place !== undefined;
    },
    openStore: (name) => files().openStore(name),
    openKeyring: (name) => files().openKeyring(name),
    hasStore: (name) => files().hasStore(name),
    full: () => files().full(),
    wipe: (name) => files().wipe(name),
    rehearsal: async () => {
      const memory = inNoFiles(inMemory(await library));
      return { store: await memory.openStore(""), keyring: await memory.openKeyring("") };
    },
    derive: async (passphrase, salt, passes, memoryKiB, lanes) =>
      derive({ module: await module, passphrase, salt, passes, memoryKiB, lanes }),
  };
}

type Files = Pick<Host, "openStore" | "openKeyring" | "hasStore" | "full" | "wipe">;

async function inFolder(folder: FileSystemDirectoryHandle, library: Promise<Sqlite3Static>): Promise<Files> {
  // Whoever had the files before lets go of all at once, and one is cheap to ask for.
  const probe = await openFile(folder, "probe");
  const sqlite = await onFiles(await library);
  const keyring = (name: string) => `${name}.keyring`;
  return {
    openStore: (name) => openStore(sqlite, name, () => isFull(probe)),
    openKeyring: (name) => openKeyring(folder, keyring(name)),
    hasStore: (name) => sqlite.has(name),
    full: () => isFull(probe),
    async wipe(name) {
      await erase(folder, keyring(name)); // first: what remains if this ends here, nobody can read
      sqlite.remove(name);
    },
  };
}

function inNoFiles(sqlite: SQLite): Files {
  return {
    openStore: (name) => openStore(sqlite, name, () => false),
    openKeyring: async () => keyringOn(memoryFile()),
    hasStore: () => false,
    full: () => false,
    async wipe() {},
  };
}

const probed = new Uint8Array(256 << 10);

/** Finds out whether the browser is out of space, by asking for a little. */
function isFull(probe: SyncFile): boolean {
  try {
    const full = probe.write(probed, { at: 0 }) !== probed.length;
    probe.truncate(0);
    return full;
  } catch (thrown) {
    return fileError(thrown).code === quota().code;
  }
}

/** Overwrites a file before it is removed: its keys must not be left to chance. */
async function erase(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  const file = await openFile(folder, name);
  file.write(new Uint8Array(file.getSize()), { at: 0 });
  file.flush();
  file.close();
  await folder.removeEntry(name);
}

function derive(task: Derivation): Promise<Uint8Array> {
  const worker = new Worker(ourScript(deriveURL), { type: "module", name: "sconce-derive" });
  return new Promise<Uint8Array>((resolve, reject) => {
    const fail = (message: string) => reject(new HostError("failed", `the passphrase could not be worked on: ${message}`));
    worker.onmessage = ({ data }: MessageEvent<Derived>) => ("key" in data ? resolve(data.key) : fail(data.failed));
    worker.onerror = (event) => fail(event.message);
    worker.postMessage(task);
  }).finally(() => {
    worker.terminate();
    task.passphrase.fill(0);
  });
}
