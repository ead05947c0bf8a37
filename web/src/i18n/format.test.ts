import { expect, test } from "vitest";
import { remaining } from "./format";

test("what is left is told in the smallest unit that does not fill the next", () => {
  const says = (...all: number[]) => all.map(remaining);
  expect(says(-3, 0, 0.2, 59, 59.2)).toEqual(["0s", "0s", "1s", "59s", "1m"]);
  expect(says(61, 3_540, 3_541, 3_600, 82_801, 604_799)).toEqual(["2m", "59m", "1h", "1h", "1d", "1w"]);
});
