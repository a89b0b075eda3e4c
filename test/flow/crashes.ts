import { expect } from "vitest";
import { startWorld, type World } from "../support/world.ts";
import { logsIn, rotatedAway, storeWorkingSecret, versionsOf } from "./fixture.ts";

/** A world in which a rotation takes seconds, with one reader and a worker; its secret is not due yet. */
export async function startCrashWorld(stack: AsyncDisposableStack): Promise<World> {
  const world = stack.use(
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
  return world;
}

export async function expectRotated(world: World, old: string): Promise<void> {
  const oldText = versionsOf(world).find(({ version }) => version === old)?.value ?? "";
  const latest = await rotatedAway(world, old);
  expect(latest.tags["keyturn-from"]).toBe(old);
  expect(await logsIn(latest.value)).toBe(true);
  expect(await logsIn(oldText)).toBe(false);
  expect(versionsOf(world).filter(({ tags }) => tags["keyturn-from"] === old)).toHaveLength(1);
  expect(versionsOf(world, "orders-db--pending").filter(({ enabled }) => enabled)).toEqual([]);
}
