import { afterEach, beforeEach, expect, test } from "vitest";
import { countFailure, countRejection } from "../../../src/rotation/act/failures.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const pending = "orders-db--pending";
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"));
});

afterEach(() => steps.world.close());

async function fail(isFinal = false): Promise<void> {
  const { scene } = await steps.next();
  await countFailure({ ...scene, secret: { ...scene.secret, attempts: 3 } }, "conflict", isFinal);
}

test("steps that fail are counted, and the rotation is given up at as many as the policy allows", async () => {
  await fail();
  expect(steps.record().hold).toEqual({ failures: 1 });
  await fail();
  expect(steps.record().hold).toEqual({ failures: 2 });
  await fail();
  expect(steps.record().hold).toEqual({ failures: 3, quarantined: "conflict" });
});

test("a failure that nobody can mend but a person gives the rotation up at once", async () => {
  await fail(true);
  expect(steps.record().hold).toEqual({ failures: 1, quarantined: "conflict" });
});

test("what else holds the rotation stays as it is", async () => {
  await steps.upTo("park");
  Object.assign(steps.versions().at(-1)?.tags ?? {}, { "keyturn-hold": "leaked=yes" });
  const { intent } = steps.record();
  await fail();
  expect(steps.record()).toMatchObject({ intent, hold: { leaked: true, failures: 1 } });
  expect(intent).toBeDefined();
});

test("a candidate that the provider rejects is counted on the candidate, not on latest", async () => {
  await countRejection(await steps.upTo("publish"));
  await countRejection(await steps.upTo("publish"));
  expect(steps.record(pending)).toMatchObject({ state: "parked", hold: { failures: 2 } });
  expect(steps.record().hold).toBeUndefined();
  const { scene } = await steps.next();
  expect(scene.observed.facts.pending).toMatchObject({ kind: "parked", rejections: 2 });
});

test("without a candidate there is nothing to be counted", async () => {
  await countRejection((await steps.next()).scene);
  expect(steps.versions(pending)).toEqual([]);
  expect(steps.record().hold).toBeUndefined();
});
