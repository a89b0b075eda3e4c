import { afterEach, beforeEach, expect, test } from "vitest";
import { restore } from "../../../src/rotation/act/roll-back.ts";
import type { Scene } from "../../../src/rotation/act/scene.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { day, hour } from "../decide/rules.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"));
});

afterEach(() => steps.world.close());

/** Up to where the replaced value is published again. */
async function takenBack(): Promise<Scene> {
  const scene = await steps.upTo("wait");
  await steps.world.ground.clock.advance(hour);
  await steps.take({ kind: "write-intent", mode: "rolling-back" }, scene);
  return steps.upTo("restore");
}

test("the replaced value is published again as a new version, with its own expiry: it is due at once", async () => {
  await restore(await takenBack());
  const [good, bad, back] = steps.versions();
  expect(back).toMatchObject({ value: good?.value, exp: good?.exp, enabled: true });
  expect(steps.record()).toMatchObject({
    from: bad?.version,
    restores: good?.version,
    credential: "orders_a",
    state: "published",
    intent: undefined,
  });
});

test("the version brought back is keyturn's own: its rotation is that of the version taken back", async () => {
  const scene = await takenBack();
  const { latest } = scene.observed.facts;
  await restore(scene);
  expect(steps.record().rotation).toBe(latest.kind === "readable" ? latest.rotation : "");
  const { scene: after } = await steps.next();
  expect(after.observed.facts.latest).toMatchObject({ lineage: "ours" });
});

test("a replaced value without an expiry is brought back without one", async () => {
  const scene = await takenBack();
  const { replaced } = scene.observed;
  if (!replaced) throw new Error("nothing was replaced");
  const { expiresAt: _, ...stored } = replaced.stored;
  await restore({ ...scene, observed: { ...scene.observed, replaced: { ...replaced, stored } } });
  expect(steps.versions().at(-1)?.exp ?? undefined).toBeUndefined();
});

/** How long after the roll-back the secret at this place of the policy is tried again, if `count` are in it. */
async function pauseOf(place: number, count: number, change: Partial<Scene["secret"]> = {}): Promise<number> {
  const scene = await takenBack();
  const secret = { ...scene.secret, ...change };
  const others = Array.from({ length: count }, (_, each) => ({ ...secret, key: `prod-kv/other-${each}` }));
  const policy = { ...scene.ports.policy, secrets: others.with(place, secret) };
  await restore({ ...scene, secret, ports: { ...scene.ports, policy } });
  return (steps.record().hold?.notBefore ?? 0) - steps.world.ground.clock.now();
}

test("a roll-back holds automatic rotations for the policy's shortest interval", async () => {
  expect(await pauseOf(0, 3)).toBe(day);
});

test("each secret of the policy is tried again in its turn, two deadlines of a roll-out after the one before", async () => {
  expect(await pauseOf(2, 3)).toBe(day + 2 * 2 * 60_000);
});

test("turns begin anew after the shortest interval, so that no secret of a long policy waits for ever", async () => {
  expect(await pauseOf(31, 40, { minInterval: hour })).toBe(hour + ((31 * 120_000) % hour));
});

test("of secrets that may be tried again at once none waits for a turn of its own", async () => {
  expect(await pauseOf(3, 4, { minInterval: 0 })).toBe(0);
});

test("a version that somebody stores before the way back is published stays latest", async () => {
  const scene = await takenBack();
  await steps.world.ground.clock.advance(5_000);
  await steps.world.ground.store("somebody else's", 60);
  await expect(restore(scene)).rejects.toMatchObject({ code: "superseded" });
  expect(steps.versions().at(-1)?.value).toBe("somebody else's");
});
