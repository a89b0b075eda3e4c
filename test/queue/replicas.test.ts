import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { announceReplica, listReplicas } from "../../src/queue/replicas.ts";
import { until } from "../support/until.ts";
import { type Rig, startRig } from "./rig.ts";

const announce = (rig: Rig, id: string, policy: string, every: number) =>
  announceReplica({ redis: rig.redis, clock: systemClock, id, policy, every });

/** An announcement lives for three beats, and a busy machine may miss some: the list comes to be like this. */
const lists = (rig: Rig, expected: readonly unknown[]) =>
  until("these are listed", async () => isDeepStrictEqual(await listReplicas(rig.redis), expected));

test("live workers are listed with the policy they act by, also after a flush", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const a = announce(rig, "a", "policy-1", 100);
  const b = announce(rig, "b", "policy-2", 100);
  const expected = [
    { id: "a", policy: "policy-1" },
    { id: "b", policy: "policy-2" },
  ];
  await lists(rig, expected);
  await rig.raw.flushall();
  await lists(rig, expected);
  await b.close();
  expect((await listReplicas(rig.redis)).map(({ id }) => id)).not.toContain("b");
  await lists(rig, expected.slice(0, 1));
  await a.close();
});

test("a worker that died is forgotten", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  await rig.raw.set("keyturn:replica:dead", JSON.stringify({ id: "dead", policy: "policy-1" }), "PX", 1000);
  await rig.raw.set("keyturn:replica:odd", "not ours");
  expect(await listReplicas(rig.redis)).toEqual([{ id: "dead", policy: "policy-1" }]);
  await until("it is gone", async () => (await listReplicas(rig.redis)).length === 0);
  const alive = announce(rig, "alive", "policy-1", 1000);
  await until("it is there", async () => (await listReplicas(rig.redis)).length === 1);
  expect(await rig.raw.pttl("keyturn:replica:alive")).toBeGreaterThan(0);
  await alive.close();
});
