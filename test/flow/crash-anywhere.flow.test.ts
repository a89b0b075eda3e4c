import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";
import type { World } from "../support/world.ts";
import { expectRotated, startCrashWorld } from "./crashes.ts";
import {
  blockRoles,
  killWorker,
  latestOf,
  logsIn,
  rotatedAway,
  storeWorkingSecret,
  versionsOf,
} from "./fixture.ts";

/** As in crash.flow.test.ts, at moments that no single call to Azure marks. */
const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  world = await startCrashWorld(stack);
});
afterAll(() => stack.disposeAsync());

describe("a worker killed while PostgreSQL works for it", () => {
  test.each([
    { point: "the new credential is applied", published: false },
    { point: "the old credential is revoked", published: true },
  ])("as $point leaves a rotation that the next one ends", async ({ published }) => {
    const old = await storeWorkingSecret(world, 29);
    if (published) await until("the new version is there", () => latestOf(world)?.version !== old);
    const roles = await blockRoles(world);
    await until("keyturn's statement waits", roles.blocked);
    killWorker(world);
    // PostgreSQL does not know yet that nobody waits for its answer, and executes the statement now.
    await roles.release();
    await expectRotated(world, old);
  });
});

test("a candidate of a killed worker that arrives late is not used", async () => {
  const late = {
    id: "late",
    service: "key-vault",
    match: "^PUT /secrets/orders-db--pending",
    position: "before",
  } as const;
  const old = await storeWorkingSecret(world, 29);
  // The request hangs in the network, and takes effect when nobody waits for it any more.
  world.azure.state.faults.push({ ...late, delay: 9_000, times: 1 });
  await until("the call hangs", () => world.azure.state.faults.every(({ times }) => times === 0));
  const before = versionsOf(world, "orders-db--pending").length;
  killWorker(world);
  const latest = await rotatedAway(world, old);
  await until("the late one is there", () => versionsOf(world, "orders-db--pending").length === before + 2);
  expect(await logsIn(latest.value)).toBe(true);
  // The next rotation does not take it for its own, and clears it away.
  await expectRotated(world, await storeWorkingSecret(world, 29));
});

test("ten kills in a row, wherever they hit, end in one finished rotation", async () => {
  const old = await storeWorkingSecret(world, 29);
  for (let kills = 0; kills < 10; kills++) {
    const pid = await until("the worker runs", () => world.worker()?.pid);
    killWorker(world);
    await until(
      "the worker has been started again",
      () => world.worker()?.pid !== pid && world.worker()?.pid,
    );
  }
  await expectRotated(world, old);
});
