import { afterAll, beforeAll, expect, test } from "vitest";
import { startMeter, type Meter } from "../demo/meter.ts";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { latestOf, logsIn, seldom, storeWorkingSecret, tellOnFailure, versionsOf } from "./fixture.ts";

const stack = new AsyncDisposableStack();
let world: World;
let meter: Meter;

beforeAll(async () => {
  meter = stack.use(await startMeter());
  world = stack.use(
    await startWorld({
      dependents: ["orders-api", "billing-api"],
      nearExpiryDelay: 500,
      overlap: "1m",
      // Longer than the application takes to find out that it cannot live: else it would look settled.
      settle: "6s",
      deadline: "15s",
    }),
  );
});
afterAll(() => stack.disposeAsync());

test("a new value that an application cannot live with is rolled back, and nobody else is restarted", async () => {
  tellOnFailure(() => world);
  const old = await storeWorkingSecret(world, 29);
  // A container that starts within the skew of a version might not have read it, so it would be restarted to be sure.
  const created = (latestOf(world)?.created ?? 0) * 1000;
  await until("the version is older than the skew", () => Date.now() > created + 2_000);
  await world.startApp("orders-api", meter.url, { environment: { ...seldom, REFUSES_ROLE: "orders_b" } });
  await world.startApp("billing-api", meter.url, { environment: seldom });
  await until("both applications serve", () => meter.servedOn(old).size === 2);
  const oldValue = latestOf(world)?.value ?? "";
  const oldExpiry = latestOf(world)?.exp;
  const started = world.app("billing-api")?.startTime;
  await world.startWorker();

  const restored = await until(
    "the roll-back is closed",
    () => {
      const latest = latestOf(world);
      return latest?.tags["keyturn-restores"] === old && latest.tags["keyturn-state"] === "retired"
        ? latest
        : undefined;
    },
    { limit: 240_000 },
  );
  expect(restored.value).toBe(oldValue);
  expect(restored.exp).toBe(oldExpiry);
  expect(restored.tags["keyturn-hold"]).toContain("not-before=");
  expect(await logsIn(oldValue)).toBe(true);

  const bad = versionsOf(world).find(({ version }) => version === restored.tags["keyturn-from"]);
  expect(bad?.enabled).toBe(false);
  expect(await logsIn(bad?.value ?? "")).toBe(false);
  expect(world.app("billing-api")?.startTime).toBe(started);
  await until(
    "the application serves again",
    () => (meter.servedOn(restored.version).get("orders-api") ?? 0) > 0,
  );
  expect(meter.failedBy("billing-api")).toBe(0);
});
