/** The most letters of a message that are drawn before its reader asks for all. */
export const most = 6_000;
/** What is drawn when asked: more is nothing that a person reads. */
export const mostEver = 100_000;

/**
 * Takes out what only serves to deceive or to break the screen: controls that
 * turn the writing around, and towers of marks on one letter.
 */
export function tame(text: string): string {
  return text
    .replace(/[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]/g, "")
    .replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\uFFF9-\uFFFB]/g, "")
    .replace(/(\p{M}{6})\p{M}+/gu, "$1");
}

/** A name on one line. */
export function tameName(name: string): string {
  return tame(name).replace(/\s+/g, " ").trim().slice(0, 120) || "—";
}

/** A message on one line without its marks, for lists and quotes. */
export function plain(text: string, length = 200): string {
  return tame(text.slice(0, length * 2))
    .replace(/```\w*\n?|`/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^[ \t]*(?:(?:#{1,6}|>|[-*+])[ \t]+)+/gm, "")
    .replace(/(\*\*|__|~~)(?=\S)(.*?\S)\1/g, "$2")
    .replace(/(^|[^\w*])[*_](?=\S)([^*_]*?\S)[*_](?=$|[^\w*])/g, "$1$2")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, length);
}

// Not \p{RGI_Emoji}, which takes a browser seconds to build.
const face = "(?:\\p{RI}{2}|[0-9#*]\\uFE0F?\\u20E3|\\p{Extended_Pictographic}[\\uFE0F\\p{EMod}]?(?:\\u200D\\p{Extended_Pictographic}[\\uFE0F\\p{EMod}]?){0,6})";
const faces = new RegExp(`^(?:${face}\\s?){1,3}$`, "u");

/** One to three emoji and nothing else: drawn large. */
export function onlyEmoji(text: string): boolean {
  return text.length < 40 && faces.test(text.trim());
}

/** The person a link speaks of, where it is a mention. */
export function mentioned(url: string): string | undefined {
  const found = /^mimi:\/\/[^/]+\/u\/([^/?#]+)$/.exec(url);
  try {
    return found?.[1] && decodeURIComponent(found[1]);
  } catch {
    return undefined;
  }
}

/** The room a link names everyone of. */
export function everyoneIn(url: string): string | undefined {
  return /^mimi:\/\/[^/]+\/r\/([^/?#]+)$/.exec(url)?.[1];
}

/** Where a link may lead; nothing for what a browser would do more with than open it. */
export function safeLink(url: string): URL | undefined {
  try {
    const parsed = new URL(url);
    return ["https:", "http:", "mailto:"].includes(parsed.protocol) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
