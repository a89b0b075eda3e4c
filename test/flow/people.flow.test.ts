import { afterEach, beforeEach, expect, test } from "vitest";
import { startMeter, type Meter } from "../demo/meter.ts";
import { until } from "../support/until.ts";
import { startWorld, type World, type WorldOptions } from "../support/world.ts";
import { runCommand } from "./command.ts";
import { latestOf, logsIn, rotatedAway, seldom, storeWorkingSecret, versionsOf } from "./fixture.ts";

let stack: AsyncDisposableStack;
let world: World;
let meter: Meter;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  meter = stack.use(await startMeter());
});
afterEach(() => stack.disposeAsync());

async function start(options: WorldOptions): Promise<void> {
  world = stack.use(await startWorld({ nearExpiryDelay: 500, overlap: "1s", settle: "500ms", ...options }));
}

test("one role is rotated in place: a short gap, and the application is back on the new password", async () => {
  await start({ single: true, dependents: ["orders-api"] });
  const first = await storeWorkingSecret(world, 90);
  await world.startApp("orders-api", meter.url, { environment: seldom });
  await until("the application serves", () => meter.servedOn(first).size === 1);
  const old = await world.store("orders-db", latestOf(world)?.value ?? "", 29);
  const oldText = latestOf(world)?.value ?? "";
  await world.startWorker();
  const latest = await rotatedAway(world, old);
  expect(latest.tags["keyturn-credential"]).toBe("orders_a");
  expect(await logsIn(latest.value)).toBe(true);
  expect(await logsIn(oldText)).toBe(false);
  await until("the application serves on the new version", () => meter.servedOn(latest.version).size === 1);
});

test("a random value is made, published and its readers restarted, with no provider to ask", async () => {
  const key = { vault: "prod-kv", name: "session-key", rotator: "random", target: { length: 48 } };
  await start({ secrets: [key] });
  await world.startWorker();
  const old = await world.store("session-key", "the-first-value-of-all", 29);
  const latest = await until("the random value is replaced", () => {
    const last = latestOf(world, "session-key");
    return last?.version !== old && last?.tags["keyturn-state"] === "retired" ? last : undefined;
  });
  expect(latest.value).toMatch(/^[A-Za-z][A-Za-z0-9._~-]{47}$/);
  expect(versionsOf(world, "session-key").find(({ version }) => version === old)?.enabled).toBe(false);
});

test("a version somebody stores restarts the readers, and rotates nothing", async () => {
  await start({ dependents: ["orders-api"] });
  await storeWorkingSecret(world, 90);
  await world.startApp("orders-api", meter.url, { environment: seldom });
  await world.startWorker();
  const started = world.app("orders-api")?.startTime ?? 0;
  const stored = await storeWorkingSecret(world, 90);
  await until("the reader is restarted", () => (world.app("orders-api")?.startTime ?? 0) > started);
  await until("the reader serves on the stored version", () => meter.servedOn(stored).size === 1);
  await until("the roll is closed", () => latestOf(world)?.tags["keyturn-intent"] === undefined);
  expect(latestOf(world)?.version).toBe(stored);
});

test("a reader that only its tag tells is restarted, though it gates nothing", async () => {
  await start({ discover: "keyturn-secrets" });
  const old = await storeWorkingSecret(world, 29);
  await world.startApp("reports", meter.url, {
    environment: seldom,
    tags: { "keyturn-secrets": "orders-db" },
  });
  await until("it serves", () => meter.servedOn(old).size === 1);
  await world.startWorker();
  const latest = await rotatedAway(world, old);
  await until("it serves on the new version", () => meter.servedOn(latest.version).size === 1);
});

test("a leaked version that was disabled at once is replaced, and its credential refused", async () => {
  await start({ dependents: ["orders-api"], overlap: "1h" });
  await storeWorkingSecret(world, 90);
  await world.startApp("orders-api", meter.url, { environment: seldom });
  await world.startWorker();
  const leaked = await until("the reader serves", () =>
    meter.servedOn(latestOf(world)?.version ?? "").size === 1 ? latestOf(world) : undefined,
  );
  leaked.tags["keyturn-credential"] = "orders_a";
  leaked.enabled = false;
  const refused = await runCommand(world, ["rotate", "prod-kv/orders-db", "--wait"]);
  expect(refused.out + refused.err).toContain("secret-disabled");
  const { code, out } = await runCommand(world, ["rotate", "prod-kv/orders-db", "--compromised", "--wait"]);
  expect(code, out).toBe(0);
  const latest = latestOf(world);
  expect(latest?.tags["keyturn-credential"]).toBe("orders_b");
  expect([await logsIn(leaked.value), await logsIn(latest?.value ?? "")]).toEqual([false, true]);
  expect(leaked.enabled).toBe(false);
  await until("the reader serves on it", () => meter.servedOn(latest?.version ?? "").size === 1);
});
