import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** What goes out as files, where no script imports it. */
const files = ["@fontsource-variable/instrument-sans", "emojibase-data"];

/**
 * Writes /licenses.txt: the terms of all that the page carries, which want to go
 * along with it. Packages are known by what the scripts were made of. Workers are
 * built apart, so the plugin belongs both in "plugins" and in "worker.plugins";
 * the one for the page, which is built last, writes the file.
 */
export function licenses(): { page: (core: boolean) => Plugin; worker: () => Plugin } {
  const packages = new Set(files);
  const gather = (bundle: Record<string, { type: string; modules?: Record<string, unknown> }>): void => {
    for (const id of Object.values(bundle).flatMap((f) => Object.keys(f.modules ?? {}))) {
      const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/?]+)/.exec(id)?.[1];
      if (name) packages.add(name);
    }
  };
  return {
    worker: () => ({ name: "sconce-licenses", generateBundle: (_, bundle) => gather(bundle) }),
    page: (core) => ({
      name: "sconce-licenses",
      generateBundle(_, bundle) {
        gather(bundle);
        this.emitFile({ type: "asset", fileName: "licenses.txt", source: compose([...packages].sort(), core) });
      },
    }),
  };
}

function compose(packages: string[], core: boolean): string {
  const own = readFileSync(here("../LICENSE"), "utf8");
  // Many say the same words under the same names: once is enough.
  const terms = new Map<string, string[]>();
  const add = (name: string, text: string): void => {
    const words = text.replaceAll("\r\n", "\n").replace(/^\n+/, "").trimEnd();
    terms.set(words, [...(terms.get(words) ?? []), name]);
  };
  add("Sconce", own);
  for (const name of packages) add(name, ofPackage(name, own));
  if (core) for (const [name, dir] of modules()) add(name, ofFolder(dir) ?? fail(name));
  const line = "=".repeat(78);
  const parts = [...terms].map(([words, names]) => `${line}\n${names.join("\n")}\n${line}\n\n${words}\n`);
  return ["What this page is made of, and the terms of each part.\n", ...parts].join("\n");
}

function ofPackage(name: string, apache: string): string {
  const dir = here(`node_modules/${name}`);
  const found = ofFolder(dir);
  if (found) return found;
  const { license } = JSON.parse(readFileSync(`${dir}/package.json`, "utf8")) as { license?: string };
  return license === "Apache-2.0" ? apache : fail(name);
}

function ofFolder(dir: string): string | undefined {
  const names = readdirSync(dir).filter((n) => /^(licen[cs]e|notice|copying)(\.|$)/i.test(n)).sort();
  return names.length === 0 ? undefined : names.map((n) => readFileSync(`${dir}/${n}`, "utf8")).join("\n");
}

/** The Go modules of the core, with their folders. Go's own library goes by the words of its sisters under golang.org/x. */
function modules(): [name: string, dir: string][] {
  const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}";
  const out = execFileSync("go", ["list", "-deps", "-f", format, "./cmd/sconce-wasm"], { cwd: here(".."), env: { ...process.env, GOOS: "js", GOARCH: "wasm" }, encoding: "utf8" });
  const all = [...new Set(out.trim().split("\n"))].map((l) => l.split(" ") as [string, string]).sort();
  const go = all.find(([name]) => name.startsWith("golang.org/x/")) ?? fail("Go");
  return [["Go", go[1]], ...all];
}

function fail(name: string): never {
  throw new Error(`the terms of ${name} are not in its folder`);
}
