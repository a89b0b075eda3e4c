import { describe, expect, test } from "vitest";
import { caseNamed, randomCrashes, rowName, rows } from "./exploring.ts";
import { groupNames, nameOf, runCase, runMatrix } from "./matrix.ts";
import { planFor } from "./plan.ts";
import { seedOf } from "./random.ts";
import { scenarios } from "./scenarios/index.ts";

/** Replaying: `npm run test:matrix -- replay "<name>"`; all of it: `npm run test:matrix`. */
describe("a worker that dies before or after any call that changes something leaves a rotation that the next one ends", () => {
  test.each(rows.map((row) => [rowName(row), row] as const))(
    "%s",
    { timeout: 120_000 },
    async (_name, row) => {
      const { failures, points } = await runMatrix(row, planFor(row, "quick"));
      expect(failures).toEqual([]);
      expect(points).toBeGreaterThan(20);
    },
  );
});

test("a worker that dies again while it recovers changes nothing about that", {
  timeout: 120_000,
}, async () => {
  const seed = seedOf(process.env);
  const { failures } = await randomCrashes(seed, 60);
  expect(failures, `KEYTURN_SEED=${seed}`).toEqual([]);
});

test("any number of workers may die in a row, each a few calls after its start", async () => {
  for (const scenario of scenarios) {
    const troubles = Array.from({ length: 60 }, (_, death) => ({
      at: 9 * (death + 1),
      position: death % 2 === 0 ? ("lost" as const) : ("before" as const),
    }));
    const { wrong, processes } = await runCase({
      scenario,
      dependents: groupNames,
      takenBack: false,
      troubles,
    });
    expect(wrong).toEqual([]);
    expect(processes).toBeGreaterThan(20);
  }
});

test("several copies of every event make one rotation", async () => {
  for (const scenario of scenarios) {
    const row = { scenario, dependents: groupNames, takenBack: false };
    const { wrong } = await runCase({ ...row, troubles: [] }, { copies: 5 });
    expect(wrong).toEqual([]);
  }
});

test("a case is found again by its name", () => {
  const name = `${scenarios[0]?.name}/2/37:lost,90:before!`;
  expect(nameOf(caseNamed(name))).toBe(name);
});
