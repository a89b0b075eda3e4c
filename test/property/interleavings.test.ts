import fc from "fast-check";
import { expect, test } from "vitest";
import { seedOf } from "../crash/random.ts";
import { scenarios } from "../crash/scenarios/index.ts";
import { duels } from "./duels.ts";

const seed = seedOf(process.env);

/** All of them, and without locks: `npm run test:matrix -- interleavings`. */
test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  "two workers on one secret end as one would have: %s",
  { timeout: 120_000 },
  async (_name, scenario) => {
    const result = await fc.check(duels(scenario, { locks: true, pauses: false }), { numRuns: 60, seed });
    expect(result.failed, fc.defaultReportMessage(result)).toBe(false);
  },
);
