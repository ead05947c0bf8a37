// What a worker may do with the origin's private file system; the DOM's types
// are those of a window, which may not.

import { fileError } from "./error";

export interface SyncFile {
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

type SyncFileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };

/** The folder of this program, or undefined where the browser has none. */
export async function privateFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("sconce", { create: true });
    const probe: SyncFileHandle = await folder.getFileHandle("probe", { create: true });
    return probe.createSyncAccessHandle === undefined ? undefined : folder;
  } catch (thrown) {
    // Private windows refuse, each browser in its own way. A full disk is no
    // reason to go on without one.
    if (thrown instanceof DOMException && thrown.name === "QuotaExceededError") throw fileError(thrown);
    return undefined;
  }
}

// A worker that was just ended, or another tab's, may hold its files a moment
// longer than it lives.
const patience = 3000;

/** Repeats what fails because somebody else holds the file, for a while. */
export async function whenFree<T>(open: () => Promise<T>): Promise<T> {
  for (let waited = 0, step = 3; ; waited += step, step = waited < 150 ? 3 : 16) {
    try {
      return await open();
    } catch (thrown) {
      const held = thrown instanceof DOMException && thrown.name === "NoModificationAllowedError";
      if (!held || waited >= patience) throw fileError(thrown);
    }
    await new Promise((resolve) => setTimeout(resolve, step));
  }
}

/** Opens a file for reading and writing at once; nobody else can meanwhile. */
export function openFile(folder: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  return whenFree(async () => {
    const handle: SyncFileHandle = await folder.getFileHandle(name, { create: true });
    if (handle.createSyncAccessHandle === undefined) throw new DOMException("no access handles", "NotSupportedError");
    return handle.createSyncAccessHandle();
  });
}
