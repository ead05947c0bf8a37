import { defineConfig } from "vite";

import { integrity } from "../../plugin/integrity.ts";

// The page that Go tests steer. It is never part of the product.
export default defineConfig({
  root: import.meta.dirname,
  build: { target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0, emptyOutDir: true, minify: false },
  plugins: [integrity()],
  worker: { format: "es", plugins: () => [integrity()] },
});
