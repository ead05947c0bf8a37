import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import de from "./de.json";
import en from "./en.json";

const src = join(import.meta.dirname, "..");
const files = (dir: string): string[] => readdirSync(dir).flatMap((name) => {
  const path = join(dir, name);
  return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) && !/\.test\.ts$/.test(name) ? [path] : [];
});
const places = (text: string) => [...text.matchAll(/\{(\w+)/g)].map((m) => m[1]!).filter((w) => !/^[A-Z]/.test(w));
const source = files(src).map((f) => readFileSync(f, "utf8")).join("\n");

it("German has every text of English, and no other", () => expect(Object.keys(de)).toEqual(Object.keys(en)));

it("a text names the same values in both languages", () => {
  for (const [key, text] of Object.entries(en)) {
    const names = new Set(places(text).filter((n) => new RegExp(`\\{${n}[,}]`).test(text)));
    const german = de[key as keyof typeof de];
    for (const n of names) expect(german, key).toMatch(new RegExp(`\\{${n}[,}]`));
  }
});

it("every plural and choice says what else there is", () => {
  for (const [key, text] of [...Object.entries(en), ...Object.entries(de)]) if (/, (plural|select),/.test(text)) expect(text, key).toMatch(/other \{/);
});

it("no text is there for nothing", () => {
  const stems = [...source.matchAll(/`([a-z]+(?:\.[a-z]+)*\.)\$\{/g)].map((m) => m[1]!);
  const unused = Object.keys(en).filter((k) => !source.includes(`"${k}"`) && !stems.some((s) => k.startsWith(s)));
  expect(unused).toEqual([]);
});

it("no text in German is still English", () => {
  const same = Object.keys(en).filter((k) => en[k as keyof typeof en] === de[k as keyof typeof de] && en[k as keyof typeof en].includes(" "));
  expect(same.filter((k) => !["announce", "message.label"].includes(k))).toEqual([]);
});
