// Rules of this page that the compiler does not hold: node scripts/lint.mjs
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../src", import.meta.url));
const files = (dir) => readdirSync(dir).flatMap((name) => {
  const path = join(dir, name);
  return statSync(path).isDirectory() ? files(path) : [path];
});

/** Each rule: where it holds, what it refuses, and why. */
const rules = [
  [/\.tsx?$/, /(:|\bas|<|,)\s*any\b(?!["'])/, "no any"],
  [/\.tsx?$/, /@ts-(ignore|nocheck|expect-error)/, "the compiler is not told to look away"],
  [/\.tsx?$/, /dangerouslySetInnerHTML|\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function\(/, "no text becomes HTML or code"],
  [/^ui\/.*\.tsx?$/, /from "[^"]*(\/worker\/|\/tabs\/)/, "screens never reach the worker: they hold no keys"],
  [/^ui\/.*\.tsx?$/, /\bcrypto\b|\bWebSocket\b|\bfetch\(|localStorage|indexedDB/, "screens ask the core, not the browser, for keys, the network and what is kept"],
  [/^core\/(next|rows|fuzzy|strength)\.ts$/, /\b(document|window|localStorage|Date\.now|Math\.random|await)\b/, "what is pure reads no clock and no page"],
  [/\.css$/, /[^-](margin|padding|border)-(left|right|top|bottom)\s*:|[;{\s](left|right|top|bottom)\s*:|text-align:\s*(left|right)\s*(?!;.*pre)/, "directions are logical, for writing from right to left"],
  [/\.css$/, /(?<!tokens)#[0-9a-f]{3,8}\b(?![^{]*\{)/i, "colours are named in tokens.css"],
  [/\.css$/, /url\(["']?(https?:)?\/\//, "nothing is loaded from elsewhere"],
  [/^ui\/.*\.tsx$/, />\s*[A-Z][a-z]+ [a-z]+[^<>{}=()]*</, "text comes from the catalogue"],
  [/^ui\/.*\.tsx$/, /(aria-label|title|placeholder)="(?!Sconce")[A-Z][a-z]+[ "]/, "text comes from the catalogue"],
];
const fine = new Set(["style/tokens.css: colours are named in tokens.css", "ui/kit/kit.css: colours are named in tokens.css"]);

let faults = 0;
for (const path of files(root)) {
  const name = relative(root, path).replaceAll("\\", "/");
  readFileSync(path, "utf8").split("\n").forEach((line, i) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) return;
    for (const [where, what, why] of rules) {
      if (!where.test(name) || !what.test(line) || fine.has(`${name}: ${why}`)) continue;
      console.error(`web/src/${name}:${i + 1}: ${why}: ${line.trim().slice(0, 100)}`);
      faults++;
    }
  });
}
if (faults > 0) process.exit(1);
