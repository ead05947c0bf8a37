import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { compileMessage } from "@lingui/message-utils/compileMessage";
import { defineConfig, type Plugin } from "vite";

import { integrity } from "./plugin/integrity.ts";
import { licenses } from "./plugin/licenses.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Turns a catalogue's ICU texts into what the page needs no parser for: import { messages } from "virtual:catalogue/en". */
function catalogue(): Plugin {
  const prefix = "virtual:catalogue/";
  return {
    name: "sconce-catalogue",
    resolveId: (id) => (id.startsWith(prefix) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${prefix}`)) return undefined;
      const file = here(`src/i18n/${id.slice(prefix.length + 1)}.json`);
      this.addWatchFile(file);
      const texts = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
      const compiled = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, compileMessage(text)]));
      return `export const messages = JSON.parse(${JSON.stringify(JSON.stringify(compiled))});`;
    },
  };
}

/** Emoji with their names and short names, small enough for the composer: virtual:emoji/en. The picker's own data go out as files. */
function emoji(): Plugin {
  const prefix = "virtual:emoji/";
  type Compact = { unicode: string; hexcode: string; label: string; tags?: string[]; order?: number };
  const read = <T,>(path: string): T => JSON.parse(readFileSync(here(`node_modules/emojibase-data/${path}`), "utf8")) as T;
  return {
    name: "sconce-emoji",
    resolveId: (id) => (id.startsWith(prefix) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${prefix}`)) return undefined;
      const language = id.slice(prefix.length + 1);
      const names = read<Record<string, string | string[]>>("en/shortcodes/github.json");
      const rows = read<Compact[]>(`${language}/compact.json`)
        .filter((e) => e.order !== undefined)
        .map((e) => [e.unicode, e.label, ([] as string[]).concat(names[e.hexcode] ?? [])]);
      return `export const emoji = JSON.parse(${JSON.stringify(JSON.stringify(rows))});`;
    },
    generateBundle() {
      for (const language of ["en", "de"]) {
        for (const file of ["data.json", "messages.json"]) {
          const source = readFileSync(here(`node_modules/emojibase-data/${language}/${file}`));
          this.emitFile({ type: "asset", fileName: `emoji/${language}/${file}`, source });
        }
      }
    },
    configureServer(server) {
      server.middlewares.use("/emoji", (req, res, go) => {
        const file = /^\/(en|de)\/(data|messages)\.json$/.exec(req.url ?? "");
        if (!file) return go();
        res.setHeader("Content-Type", "application/json");
        res.end(readFileSync(here(`node_modules/emojibase-data${file[0]}`)));
      });
    },
  };
}

/**
 * Names in the page itself what its first screen is made of, so that all of it
 * comes at once: the screens, which its first script imports when the core is on
 * its way, with their style, and the letters, which only a layout would ask for.
 */
function ahead(): Plugin {
  return {
    name: "sconce-ahead",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle = {} }) {
        const chunks = Object.values(bundle).filter((f) => f.type === "chunk");
        const screens = chunks.find((c) => c.facadeModuleId === here("src/start.tsx"));
        const letters = Object.keys(bundle).find((f) => /\/instrument-sans-latin-wght-normal-[^/]+\.woff2$/.test(f));
        if (!screens || !letters) throw new Error("the build has no screens, or no letters");
        const link = (rel: string, file: string, more = {}) =>
          ({ tag: "link", injectTo: "head" as const, attrs: { rel, crossorigin: true, href: `/${file}`, ...more } });
        // What others import comes first: that is the order of their styles.
        const scripts: string[] = [];
        const need = (file: string): void => {
          const chunk = chunks.find((c) => c.fileName === file);
          if (!chunk || chunk.isEntry || scripts.includes(file)) return;
          chunk.imports.forEach(need);
          scripts.push(file);
        };
        need(screens.fileName);
        const styles = scripts.flatMap((f) => [...(chunks.find((c) => c.fileName === f)?.viteMetadata?.importedCss ?? [])]);
        return [
          ...styles.map((f) => link("stylesheet", f)),
          ...scripts.map((f) => link("modulepreload", f)),
          link("preload", letters, { as: "font", type: "font/woff2" }),
        ];
      },
    },
  };
}

/** Puts the made-up world in the place of the core: the page with stories is never part of the product. */
function stories(): Plugin {
  return {
    name: "sconce-stories",
    transformIndexHtml: { order: "pre", handler: (page) => page.replace("/src/main.ts", "/src/story/main.ts") },
  };
}

/**
 * Tells the service worker which files make the shell. Its name for them is the
 * hash of them all, so that a new build is a new worker.
 */
function shell(): Plugin {
  const hash = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  return {
    name: "sconce-shell",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const content = (f: (typeof bundle)[string]) => (f.type === "chunk" ? f.code : f.source);
        const files = Object.keys(bundle).filter((f) => f !== "sw.js" && !f.endsWith(".map") && !f.startsWith("emoji/") && f !== "licenses.txt").sort();
        // Vite copies these as they are.
        const copied = readdirSync(here("public")).sort();
        const all = hash(copied.map((f) => hash(readFileSync(here(`public/${f}`)))).join() + files.map((f) => `${f} ${hash(content(bundle[f]!))}\n`).join(""));
        const worker = bundle["sw.js"];
        if (worker?.type !== "chunk") throw new Error("the build has no service worker");
        // The minifier picks the quotes.
        const put = (mark: string, text: string) => {
          const quoted = new RegExp(`["'\`]${mark}["'\`]`);
          if (!quoted.test(worker.code)) throw new Error(`the service worker has no ${mark}`);
          worker.code = worker.code.replace(quoted, () => text);
        };
        put("__SHELL_NAME__", JSON.stringify(`sconce-${all.slice(0, 16)}`));
        put("__SHELL_FILES__", [...files.filter((f) => f !== "index.html"), ...copied].map((f) => JSON.stringify(`/${f}`)).join(","));
      },
    },
  };
}

const terms = licenses();

export default defineConfig(({ mode }) => ({
  plugins: [react(), integrity(), catalogue(), emoji(), terms.page(mode !== "story"), shell(), mode === "story" ? stories() : ahead()],
  build: {
    outDir: mode === "story" ? "dist-story" : "dist",
    target: "es2024",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: here("index.html"), sw: here("src/sw.ts") },
      output: {
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  worker: { format: "es", plugins: () => [integrity(), terms.worker()] },
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 20_000 },
}));
