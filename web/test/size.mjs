// What a browser must have before the page can be used, compressed as it is
// served: node test/size.mjs, after npm run build.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

const budget = 180_000;
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const page = readFileSync(`${dist}index.html`, "utf8");
const scripts = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((m) => m[1]);
// Scripts that those need at once are imported by name.
for (let i = 0; i < scripts.length; i++) {
  for (const [, name] of readFileSync(dist + scripts[i], "utf8").matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/g)) {
    if (!scripts.includes(`assets/${name}`)) scripts.push(`assets/${name}`);
  }
}
let all = 0;
for (const name of scripts) {
  const size = brotliCompressSync(readFileSync(dist + name)).length;
  console.log(`${String(size).padStart(8)}  ${name}`);
  all += size;
}
console.log(`${String(all).padStart(8)}  of ${budget}`);
if (all > budget) process.exit(1);
