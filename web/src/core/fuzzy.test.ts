import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzy } from "./fuzzy";
import { strength } from "./strength";

describe("fuzzy", () => {
  it("finds letters in order, whatever their case and accents", () => {
    expect(fuzzy("tor", "Tomás Rey")?.hits).toEqual([0, 1, 6]);
    expect(fuzzy("SOREN", "Ingrid Sørensen")).toBeUndefined();
    expect(fuzzy("novotny", "Pavel Novotný")).toBeDefined();
    expect(fuzzy("xyz", "Harbour watch")).toBeUndefined();
  });

  it("likes starts of words", () => {
    expect(fuzzy("hw", "Harbour watch")!.score).toBeGreaterThan(fuzzy("hw", "show the way")!.score);
  });

  it("hits letters that are there, in order", () => {
    fc.assert(fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 60, unit: "grapheme" }), (query, text) => {
      const fit = fuzzy(query, text);
      if (fit) expect(fit.hits).toEqual(fit.hits.toSorted((a, b) => a - b));
    }));
  });
});

describe("strength", () => {
  it.each([["", 0], ["password", 0], ["aaaaaaaaaaaaaaaa", 0], ["12345678901234", 0], ["Sommer2026", 1], ["lantern harbour ledger", 2], ["lantern harbour ledger winter", 3], ["lantern harbour ledger winter copper anchor", 4], ["x9$Kq!v2Lm#7pR@wz", 4]] as const)("of %j is %i", (text, level) => {
    expect(strength(text)).toBe(level);
  });
});
