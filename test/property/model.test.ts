import fc from "fast-check";
import { expect, test } from "vitest";
import { fixedSeed } from "../crash/random.ts";
import { anyHistory } from "./model.ts";

const seed = fixedSeed(process.env);

test("whatever accidents happen in whatever order, one rotation comes of it", {
  timeout: 120_000,
}, async () => {
  const result = await fc.check(anyHistory(false), { numRuns: 80, seed });
  expect(result.failed, fc.defaultReportMessage(result)).toBe(false);
});

test("whatever people do meanwhile, no call breaks a rule, and it ends at rest or with a question", {
  timeout: 120_000,
}, async () => {
  const result = await fc.check(anyHistory(true), { numRuns: 80, seed });
  expect(result.failed, fc.defaultReportMessage(result)).toBe(false);
});
