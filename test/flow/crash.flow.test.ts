import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import {
  blockRoles,
  killWorker,
  logsIn,
  latestOf,
  rotatedAway,
  storeWorkingSecret,
  versionsOf,
} from "./fixture.ts";

/**
 * Each test kills a real worker process by SIGKILL while one call of its hangs: before the call had its effect, or
 * after it while the answer is on its way. The next process must end the rotation as if nothing had been.
 */
const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  world = stack.use(
    await startWorld({
      dependents: ["orders-api"],
      nearExpiryDelay: 200,
      overlap: "1s",
      settle: "500ms",
      lock: "2s",
    }),
  );
  await storeWorkingSecret(world, 90);
  await world.startApp("orders-api");
  await world.startWorker();
});
afterAll(() => stack.disposeAsync());

const calls = [
  { point: "the intent", service: "key-vault", match: "^PATCH /secrets/orders-db/" },
  { point: "the parking of the candidate", service: "key-vault", match: "^PUT /secrets/orders-db--pending" },
  { point: "the publish", service: "key-vault", match: "^PUT /secrets/orders-db$" },
  {
    point: "the disabling of the parked copy",
    service: "key-vault",
    match: "^PATCH /secrets/orders-db--pending/",
  },
  { point: "the restart of a dependent", service: "resource-manager", match: "^POST .*/orders-api/restart" },
] as const;

describe.each(calls)("a worker killed at $point", ({ service, match }) => {
  test.each(["before", "after"] as const)(
    "%s its effect, leaves a rotation that the next one ends",
    async (position) => {
      const old = await storeWorkingSecret(world, 29);
      // The event follows after a moment, so this is in time, and it is keyturn's call that hangs, not ours.
      // Whoever hears of it then, `before` has no effect.
      const status = position === "before" ? { status: 503 } : {};
      world.azure.state.faults.push({
        id: match,
        service,
        match,
        position,
        delay: 5_000,
        times: 1,
        ...status,
      });
      await until("the call hangs", () => world.azure.state.faults.every(({ times }) => times === 0));
      killWorker(world);
      world.azure.state.faults.length = 0;
      await expectRotated(old);
    },
  );
});

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
    await expectRotated(old);
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
  await expectRotated(await storeWorkingSecret(world, 29));
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
  await expectRotated(old);
});

async function expectRotated(old: string): Promise<void> {
  const oldText = versionsOf(world).find(({ version }) => version === old)?.value ?? "";
  const latest = await rotatedAway(world, old);
  expect(latest.tags["keyturn-from"]).toBe(old);
  expect(await logsIn(latest.value)).toBe(true);
  expect(await logsIn(oldText)).toBe(false);
  expect(versionsOf(world).filter(({ tags }) => tags["keyturn-from"] === old)).toHaveLength(1);
  expect(versionsOf(world, "orders-db--pending").filter(({ enabled }) => enabled)).toEqual([]);
}
