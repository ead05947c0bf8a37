import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mentioned, onlyEmoji, plain, safeLink, tame, tameName } from "./text";
import { forgetTexts, parse } from "./tree";

const tower = /\p{M}{7}/u;
const turning = /[\u202A-\u202E\u2066-\u2069]/;

describe("hostile text", () => {
  it("loses what turns the writing around and what towers above it", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (s) => {
      expect(tame(s)).not.toMatch(turning);
      expect(tame(s)).not.toMatch(tower);
      expect(tameName(s)).not.toMatch(/\n/);
      expect(tameName(s).length).toBeGreaterThan(0);
      expect(plain(s).length).toBeLessThanOrEqual(200);
    }));
  });

  it("is read in time that grows with its length", () => {
    for (const piece of ["> ", "- ", "*", "_", "[", "](", "`", "~~", "https://", "![](", "<a ", "\\"]) {
      const began = performance.now();
      parse(piece.repeat(3_000 / piece.length));
      expect(performance.now() - began, piece).toBeLessThan(2_500);
      forgetTexts();
    }
  });
});

it("only what a browser merely opens is a link", () => {
  for (const bad of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "blob:x", "vbscript:x", "x", "//host", "JAVASCRIPT:1", " javascript:1"]) expect(safeLink(bad), bad).toBeUndefined();
  for (const good of ["https://a.example/x", "http://a.example", "mailto:a@b.example"]) expect(safeLink(good), good).toBeDefined();
});

it("mentions name a person and nothing else", () => {
  expect(mentioned("mimi://net/u/abc")).toBe("abc");
  expect(mentioned("mimi://net/u/%E0%A4%A")).toBeUndefined();
  expect(mentioned("https://net/u/abc")).toBeUndefined();
});

it("a few emoji are only emoji, words are not", () => {
  expect(onlyEmoji("👍🏽 🎉")).toBe(true);
  expect(onlyEmoji("👩‍👩‍👧")).toBe(true);
  expect(onlyEmoji("12")).toBe(false);
  expect(onlyEmoji("ok 👍")).toBe(false);
});

it("a preview has no marks", () => {
  expect(plain("**bold** and *it* `code`\n> quote\n- list [link](https://x.example) snake_case_name 2*3")).toBe("bold and it code quote list link snake_case_name 2*3");
  // Signs and numbers within a line are what was said.
  expect(plain("Gate: 7704. Then 3 > 2 - or not\n> - both\n1. one\n2. two")).toBe("Gate: 7704. Then 3 > 2 - or not both 1. one 2. two");
});
