declare module "virtual:catalogue/*" {
  export const messages: Record<string, string>;
}

declare module "virtual:emoji/*" {
  /** The emoji, what it shows, and its short names without colons. */
  export const emoji: [glyph: string, label: string, names: string[]][];
}
