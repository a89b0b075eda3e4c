import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { SweepVaults } from "../../src/queue/contracts.ts";
import { type Schedules, keepSchedules } from "../../src/queue/schedules.ts";
import { until } from "../support/until.ts";
import { type Rig, startRig } from "./rig.ts";

const hour = 3_600_000;
const sweep = { every: hour, deep: 24 * hour };
const log = createLog("silent");

function keep(rig: Rig, every: number, changes: Partial<typeof sweep> = {}): Schedules {
  const policy = { digest: "policy-1", sweep: { ...sweep, ...changes } };
  return keepSchedules({ redis: rig.redis, enqueue: rig.enqueue, policy, clock: systemClock, log, every });
}

const scheduled = (rig: Rig) => rig.raw.zrange("keyturn:sweep-vaults:repeat", "0", "-1", "WITHSCORES");
const both = (rig: Rig) =>
  until("both are scheduled", async () => {
    const found = await scheduled(rig);
    return found.length === 4 && found;
  });

test("at the start one sweep is queued, and the two schedules begin an interval later", async () => {
  await using rig = await startRig();
  const before = Date.now();
  const schedules = keep(rig, hour);
  const [first, firstAt, second, secondAt] = await both(rig).then((found) => found || []);
  expect([first, second]).toEqual(["sweep", "deep-sweep"]);
  expect(Number(firstAt)).toBeGreaterThanOrEqual(before + hour);
  expect(Number(secondAt)).toBeGreaterThanOrEqual(before + 24 * hour);
  expect(await rig.raw.llen("keyturn:sweep-vaults:wait")).toBe(1);
  await schedules.close();
});

test("checking a living schedule does not move it, and a job that it lost comes back", async () => {
  await using rig = await startRig();
  const first = keep(rig, hour);
  const found = await both(rig);
  await first.close();
  const jobs = () => rig.raw.zrange("keyturn:sweep-vaults:delayed", "0", "-1");
  const before = await jobs();
  expect(before).toHaveLength(2);
  const second = keep(rig, 10);
  const reads = async () =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await rig.raw.info("commandstats"))?.[1] ?? 0);
  const begun = await reads();
  await until("it was checked a few times", async () => (await reads()) > begun + 10);
  expect(await scheduled(rig)).toEqual(found);
  expect(await jobs()).toEqual(before);
  await rig.raw.zrem("keyturn:sweep-vaults:delayed", ...before);
  await rig.raw.del(...before.map((id) => `keyturn:sweep-vaults:${id}`));
  await until("they are back", async () => (await jobs()).length === 2);
  await second.close();
});

test("a changed interval is taken over", async () => {
  await using rig = await startRig();
  const first = keep(rig, hour);
  const before = await both(rig);
  await first.close();
  const second = keep(rig, hour, { every: 2 * hour });
  await until("it has moved", async () => (await scheduled(rig))[1] !== (before || [])[1]);
  await second.close();
});

test("schedules come back after Redis was flushed", async () => {
  await using rig = await startRig();
  const schedules = keep(rig, 20);
  await both(rig);
  await rig.raw.flushall();
  await both(rig);
  await schedules.close();
});

test("schedules are made when Redis comes later, and scheduled jobs run with readable data", async () => {
  await using rig = await startRig();
  await rig.server.kill();
  const runs: SweepVaults[] = [];
  rig.run({
    "sweep-vaults": {
      stage: "sweep-vaults",
      data: SweepVaults,
      attempts: 1,
      async run(data) {
        runs.push(data);
        return { done: "nothing due" };
      },
    },
  });
  const schedules = keep(rig, 20, { every: 100, deep: 150 });
  await rig.server.restart();
  await until("all ran more than once", () => {
    const deep = runs.filter((data) => data.deep).length;
    return deep >= 2 && runs.length - deep >= 3;
  });
  expect(runs[0]).toMatchObject({ v: 1, policy: "policy-1" });
  await schedules.close();
});
