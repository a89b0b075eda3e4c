import { expect, test } from "vitest";
import { Duration, PositiveDuration, formatDuration } from "../../src/policy/duration.ts";

test.each([
  ["90d", 7_776_000_000],
  ["24h", 86_400_000],
  ["10m", 600_000],
  ["60s", 60_000],
  ["500ms", 500],
  ["0s", 0],
])("%s is %i milliseconds", (text, millis) => {
  expect(Duration.parse(text)).toBe(millis);
});

test.each([
  "",
  "90",
  "1.5d",
  "-1d",
  " 1d",
  "1d ",
  "1 d",
  "1D",
  "01d",
  "1w",
  "1y",
  "1e3s",
  "1d12h",
  "9999999d",
])("%j is no duration", (text) => {
  expect(Duration.safeParse(text).success).toBe(false);
});

test.each([90, null, undefined, ["90d"]])("%j is no duration, whatever ms makes of it", (value) => {
  expect(Duration.safeParse(value).success).toBe(false);
});

test("zero is refused where it would make no sense", () => {
  expect(PositiveDuration.safeParse("0h").success).toBe(false);
  expect(PositiveDuration.parse("1ms")).toBe(1);
});

test.each(["90d", "36h", "90m", "61s", "1500ms", "0s"])("%s is written as it was read", (text) => {
  expect(formatDuration(Duration.parse(text))).toBe(text);
});
