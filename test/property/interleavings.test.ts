import fc from "fast-check";
import { expect, test } from "vitest";
import { fixedSeed } from "../crash/random.ts";
import { scenarios } from "../crash/scenarios/index.ts";
import { duels, kindName, kinds } from "./duels.ts";

const seed = fixedSeed(process.env);
const all = scenarios.flatMap((scenario) =>
  kinds.map((kind) => [kindName(kind), scenario.name, scenario, kind] as const),
);

/** Many more of them: `npm run test:matrix -- --only "two workers"`. */
test.each(all)(
  "two workers on one secret end as one would have, %s: %s",
  { timeout: 120_000 },
  async (_kind, _name, scenario, kind) => {
    const result = await fc.check(duels(scenario, kind), { numRuns: kind.locks ? 25 : 15, seed });
    expect(result.failed, fc.defaultReportMessage(result)).toBe(false);
  },
);
