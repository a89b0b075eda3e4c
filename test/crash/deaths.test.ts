import { expect, test } from "vitest";
import { caseNamed, randomCrashes } from "./exploring.ts";
import { groupNames, nameOf, runCase } from "./matrix.ts";
import { fixedSeed } from "./random.ts";
import { scenarios } from "./scenarios/index.ts";
import { stageOf } from "./stages.ts";
import { createWorld } from "./world.ts";

const whole = { dependents: groupNames, takenBack: false };
const scenarioNames = scenarios.map((scenario) => [scenario.name, scenario] as const);

test("a worker that dies again while it recovers changes nothing about that", {
  timeout: 120_000,
}, async () => {
  const seed = fixedSeed(process.env);
  const { failures } = await randomCrashes(seed, 60);
  expect(failures, `KEYTURN_SEED=${seed}`).toEqual([]);
});

test.each(scenarioNames)(
  "any number of workers may die in a row, each a few calls after its start: %s",
  { timeout: 60_000 },
  async (_name, scenario) => {
    const troubles = Array.from({ length: 60 }, (_, death) => ({
      at: 9 * (death + 1),
      position: death % 2 === 0 ? ("lost" as const) : ("before" as const),
    }));
    const { wrong, processes } = await runCase({ scenario, ...whole, troubles });
    expect(wrong).toEqual([]);
    expect(processes).toBeGreaterThan(20);
  },
);

test("several copies of every event make one rotation", { timeout: 60_000 }, async () => {
  for (const scenario of scenarios) {
    const { wrong } = await runCase({ scenario, ...whole, troubles: [] }, { copies: 5 });
    expect(wrong).toEqual([]);
  }
});

test.each(scenarioNames)(
  "the gap that a single credential has is short, and two have none: %s",
  async (_name, scenario) => {
    const { gap } = await runCase({ scenario, ...whole, troubles: [] });
    if (scenario.overlap === "dual") return expect(gap).toBe(0);
    expect(gap).toBeGreaterThan(0);
    expect(gap).toBeLessThan(5_000);
  },
);

test("a process that dies with the only credential refused everywhere is noticed", async () => {
  const [scenario] = scenarios.filter(({ overlap }) => overlap === "single");
  if (!scenario) throw new Error("there is no single credential");
  const world = await createWorld(scenario);
  await world.ground.begin();
  const begun = world.ground.snapshot();
  expect(stageOf(begun, scenario, begun)?.name).toBe("nothing written");
  expect(stageOf({ ...begun, live: new Set() }, scenario, begun)).toBeUndefined();
  await world.close();
});

test("a case is found again by its name", () => {
  const name = `${scenarios[0]?.name}/2/37:lost,90:before!`;
  expect(nameOf(caseNamed(name))).toBe(name);
  const derived = "postgres-role dual, derived/2/1:cut";
  expect(nameOf(caseNamed(derived))).toBe(derived);
});
