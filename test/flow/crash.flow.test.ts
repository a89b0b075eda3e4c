import { afterAll, beforeAll, describe, test } from "vitest";
import { until } from "../support/until.ts";
import type { World } from "../support/world.ts";
import { expectRotated, startCrashWorld } from "./crashes.ts";
import { killWorker, storeWorkingSecret } from "./fixture.ts";

/**
 * Each test kills a real worker process by SIGKILL while one call of its hangs: before the call had its effect, or
 * after it while the answer is on its way. The next process must end the rotation as if nothing had been.
 */
const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  world = await startCrashWorld(stack);
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
      await expectRotated(world, old);
    },
  );
});
