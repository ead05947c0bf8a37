import fc from "fast-check";
import { expect, it } from "vitest";
import { hushed, usual } from "./look";

const at = (minute: number) => new Date(2026, 0, 15, 0, minute);

it("quiet hours go over midnight", () => {
  const look = { ...usual, quiet: { on: true, from: 22 * 60, to: 7 * 60 } };
  expect([21 * 60 + 59, 22 * 60, 23 * 60, 0, 6 * 60 + 59, 7 * 60, 12 * 60].map((m) => hushed(look, at(m)))).toEqual([false, true, true, true, true, false, false]);
});

it("each minute of a day is within quiet hours or within their opposite, unless they are empty", () => {
  const minute = fc.integer({ min: 0, max: 1_439 });
  fc.assert(fc.property(minute, minute, minute, (from, to, m) => {
    const within = hushed({ pausedUntil: 0, quiet: { on: true, from, to } }, at(m));
    const outside = hushed({ pausedUntil: 0, quiet: { on: true, from: to, to: from } }, at(m));
    expect(within).toBe(from === to ? false : !outside);
  }));
});

it("quiet hours that are off hush nothing, and a pause does until it ends", () => {
  expect(hushed({ ...usual, quiet: { ...usual.quiet, on: false } }, at(23 * 60))).toBe(false);
  const look = { ...usual, pausedUntil: at(600).getTime() };
  expect([hushed(look, at(599)), hushed(look, at(600))]).toEqual([true, false]);
});
