// A file system for Go's test programs in a worker: standard output goes to the
// page by lines, and making and removing folders succeeds without a folder, so
// that tests may ask for temporary ones.

type Done = (error: Error | null, result?: unknown) => void;

const missing = Object.assign(new Error("no such file"), { code: "ENOENT" });
const decoder = new TextDecoder();
let rest = "";

function print(bytes: Uint8Array): void {
  const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) postMessage({ kind: "out", line });
}

/** Prints what has no end of line. */
export function flush(): void {
  if (rest !== "") postMessage({ kind: "out", line: rest });
  rest = "";
}

const ok = (...args: unknown[]) => (args.at(-1) as Done)(null);
const none = (...args: unknown[]) => (args.at(-1) as Done)(missing);

Object.assign(globalThis, {
  fs: {
    constants: { O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_TRUNC: 512, O_APPEND: 1024, O_EXCL: 128, O_DIRECTORY: 65536 },
    writeSync(_: number, bytes: Uint8Array) {
      print(bytes);
      return bytes.length;
    },
    write(_: number, bytes: Uint8Array, offset: number, length: number, __: number | null, done: Done) {
      print(bytes.subarray(offset, offset + length));
      done(null, length);
    },
    mkdir: ok,
    rmdir: ok,
    unlink: ok,
    fsync: ok,
    close: ok,
    open: none,
    stat: none,
    lstat: none,
    readdir: none,
    fstat: none,
    read: none,
  },
});
