import { fileError, HostError, quota } from "./error";
import { openFile, type SyncFile } from "./opfs";

/** A keyring as Go calls it: client/browser/keyring.go. */
export interface KeyringHandle {
  read(limit: number): Uint8Array;
  /** Each write is an index in four bytes, little endian, and a slot. */
  overwrite(writes: Uint8Array, slotSize: number): void;
  close(): void;
}

// The file grows by whole pages of zeros, so that later slots are overwritten
// where the file has its blocks already.
const growth = 16 << 10;

export async function openKeyring(folder: FileSystemDirectoryHandle, name: string): Promise<KeyringHandle> {
  return keyringOn(await openFile(folder, name));
}

export function keyringOn(file: SyncFile): KeyringHandle {
  const write = (bytes: Uint8Array, at: number) => {
    if (file.write(bytes, { at }) !== bytes.length) throw quota();
  };
  return {
    read(limit) {
      try {
        const size = file.getSize();
        if (size > limit + growth) throw new HostError("failed", "the keyring is longer than it can be");
        const content = new Uint8Array(Math.min(size, limit));
        if (file.read(content, { at: 0 }) !== content.length) throw new HostError("lost", "the keyring is cut off");
        return content;
      } catch (thrown) {
        throw fileError(thrown);
      }
    },
    overwrite(writes, slotSize) {
      try {
        const entry = 4 + slotSize;
        const view = new DataView(writes.buffer, writes.byteOffset, writes.byteLength);
        let end = 0;
        for (let i = 0; i < writes.length; i += entry) end = Math.max(end, (view.getUint32(i, true) + 1) * slotSize);
        const size = file.getSize();
        if (end > size) write(new Uint8Array(Math.ceil(end / growth) * growth - size), size);
        for (let i = 0; i < writes.length; i += entry) {
          write(writes.subarray(i + 4, i + entry), view.getUint32(i, true) * slotSize);
        }
        file.flush();
      } catch (thrown) {
        throw fileError(thrown);
      } finally {
        writes.fill(0);
      }
    },
    close() {
      file.close();
    },
  };
}

/** A keyring that ends with the worker, where the browser has no files. */
export function memoryFile(): SyncFile {
  let content = new Uint8Array();
  return {
    read(into, { at }) {
      const part = content.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write(from, { at }) {
      if (at + from.length > content.length) {
        const larger = new Uint8Array(at + from.length);
        larger.set(content);
        content.fill(0);
        content = larger;
      }
      content.set(from, at);
      return from.length;
    },
    truncate(size) {
      content = content.slice(0, size);
    },
    getSize: () => content.length,
    flush() {},
    close() {},
  };
}
