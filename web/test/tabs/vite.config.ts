import { defineConfig } from "vite";

import { integrity } from "../../plugin/integrity.ts";

// The page of web/test/tabs.mjs. It is never part of the product.
export default defineConfig({
  root: import.meta.dirname,
  build: { target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0, emptyOutDir: true },
  plugins: [integrity()],
  worker: { format: "es", plugins: () => [integrity()] },
});
