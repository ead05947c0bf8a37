// What the build makes of imports that are no scripts.

declare module "*?integrity" {
  export const url: string;
  export const integrity: string;
}

declare module "*?worker&url" {
  const url: string;
  export default url;
}

// Go's own support script, which defines the global "Go".
declare module "*/wasm_exec.js";
