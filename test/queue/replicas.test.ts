import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { announceReplica, listReplicas } from "../../src/queue/replicas.ts";
import { until } from "../support/until.ts";
import { type Rig, startRig } from "./rig.ts";

const announce = (rig: Rig, id: string, policy: string, every: number) =>
  announceReplica({ redis: rig.redis, clock: systemClock, id, policy, every });

test("live workers are listed with the policy they act by, also after a flush", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(5000);
  const a = announce(rig, "a", "policy-1", 20);
  const b = announce(rig, "b", "policy-2", 20);
  const expected = [
    { id: "a", policy: "policy-1" },
    { id: "b", policy: "policy-2" },
  ];
  await until("both are there", async () => (await listReplicas(rig.redis)).length === 2);
  expect(await listReplicas(rig.redis)).toEqual(expected);
  await rig.raw.flushall();
  await until("both are there again", async () => (await listReplicas(rig.redis)).length === 2);
  await b.close();
  expect(await listReplicas(rig.redis)).toEqual(expected.slice(0, 1));
  await a.close();
});

test("a worker that died is forgotten", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(5000);
  await rig.raw.set("keyturn:replica:dead", JSON.stringify({ id: "dead", policy: "policy-1" }), "PX", 100);
  await rig.raw.set("keyturn:replica:odd", "not ours");
  expect(await listReplicas(rig.redis)).toEqual([{ id: "dead", policy: "policy-1" }]);
  await until("it is gone", async () => (await listReplicas(rig.redis)).length === 0);
  const alive = announce(rig, "alive", "policy-1", 1000);
  await until("it is there", async () => (await listReplicas(rig.redis)).length === 1);
  expect(await rig.raw.pttl("keyturn:replica:alive")).toBeGreaterThan(0);
  await alive.close();
});
