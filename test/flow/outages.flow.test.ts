import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import {
  latestOf,
  logsIn,
  probesOf,
  readiness,
  rotatedAway,
  storeWorkingSecret,
  versionsOf,
} from "./fixture.ts";

let stack: AsyncDisposableStack;
let world: World;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  world = stack.use(await startWorld({ nearExpiryDelay: 200, overlap: "1s", settle: "500ms", lock: "2s" }));
});
afterEach(() => stack.disposeAsync());

describe("readiness", () => {
  test("says that Redis is away, at the start and later, and the worker goes on by itself when it is back", async () => {
    await world.redis.kill();
    const old = await storeWorkingSecret(world, 29);
    await world.startWorker();
    const probes = await probesOf(world);
    await until("only Redis is missing", async () => {
      const { checks } = await readiness(probes);
      return checks.identity?.ok && checks.serviceBus?.ok && !checks.redis?.ok;
    });
    expect((await fetch(`${probes}/livez`)).status).toBe(200);
    expect((await fetch(`${probes}/readyz`)).status).toBe(503);

    await world.restartRedis();
    await until("the worker is ready", async () => (await readiness(probes)).ready);
    const latest = await rotatedAway(world, old);

    await world.redis.kill();
    await until("Redis is missing again", async () => !(await readiness(probes)).checks.redis?.ok);
    const role = latest.tags["keyturn-credential"];
    const again = await storeWorkingSecret(world, 29, role);
    await world.restartRedis();
    await rotatedAway(world, again);
    expect(world.worker()?.restartCount).toBe(0);
  });

  test("says that Service Bus is away, and the event is served when it is back", async () => {
    const away = {
      id: "away",
      service: "service-bus",
      match: "^attach",
      position: "before",
      status: 503,
    } as const;
    world.azure.state.faults.push({ ...away, times: -1 });
    await world.startWorker();
    const probes = await probesOf(world);
    await until("only Service Bus is missing", async () => {
      const { checks } = await readiness(probes);
      return checks.identity?.ok && checks.redis?.ok && !checks.serviceBus?.ok;
    });
    const old = await storeWorkingSecret(world, 29);
    world.azure.state.faults.length = 0;
    await until("the worker is ready", async () => (await readiness(probes)).ready);
    await rotatedAway(world, old);
  });
});

describe("in the middle of a rotation", () => {
  beforeEach(() => world.startWorker());

  test("a dropped AMQP connection changes nothing", async () => {
    const old = await storeWorkingSecret(world, 29);
    await until("a candidate is parked", () => latestOf(world, "orders-db--pending"));
    world.azure.serviceBus.dropConnections();
    await rotatedAway(world, old);
    await until(
      "the queue is empty",
      () => world.azure.state.queues.get("keyturn-events")?.messages.length === 0,
    );
  });

  test("a flushed Redis changes nothing: the next look goes on", async () => {
    const old = await storeWorkingSecret(world, 29);
    await until("a candidate is parked", () => latestOf(world, "orders-db--pending"));
    await world.redis.admin("FLUSHALL");
    // Nobody remembers that there was work: any later look finds it, here the event of a person's next write.
    await until(
      "the event is lost",
      () => world.azure.state.queues.get("keyturn-events")?.messages.length === 0,
    );
    await world.azure.containers.restart(world.azure.groupId("core", "keyturn"));
    await rotatedAway(world, old);
  });

  test("a wrong password set by hand right before the publish is set right after it", async () => {
    const hold = {
      id: "hold",
      service: "key-vault",
      match: "^PUT /secrets/orders-db$",
      position: "before",
    } as const;
    const old = await storeWorkingSecret(world, 29);
    world.azure.state.faults.push({ ...hold, delay: 1_000, times: 1 });
    await until("the publish hangs", () => world.azure.state.faults.every(({ times }) => times === 0));
    await world.setPassword("orders_b", "somebody-was-here");
    const latest = await rotatedAway(world, old);
    expect(await logsIn(latest.value)).toBe(true);
  });

  test("a wrong password set by hand after the publish is set right, since the parked copy shows whose value it is", async () => {
    const old = await storeWorkingSecret(world, 29);
    await until("the publish is proven", () =>
      versionsOf(world, "orders-db--pending").some(({ enabled }) => !enabled),
    );
    await world.setPassword("orders_b", "somebody-was-here");
    const latest = await rotatedAway(world, old);
    expect(await logsIn(latest.value)).toBe(true);
    expect(versionsOf(world, "orders-db--pending").some(({ enabled }) => enabled)).toBe(false);
  });

  test("a published value that the provider refuses from the start is a question for a person, and nothing is touched", async () => {
    await world.setPassword("orders_a", "another-password");
    const refused = await world.store(
      "orders-db",
      world.connectionString("orders_a", "not-the-password"),
      29,
    );
    await until("the job is given up", () =>
      world.worker()?.log.some((line) => line.includes("cannot-adopt")),
    );
    expect(latestOf(world)?.version).toBe(refused);
    expect(await logsIn(world.connectionString("orders_a", "another-password"))).toBe(true);
    expect(latestOf(world, "orders-db--pending")).toBeUndefined();
  });

  test("a worker told to stop ends by itself and cleanly, and the next one finishes", async () => {
    const old = await storeWorkingSecret(world, 29);
    await until("a candidate is parked", () => latestOf(world, "orders-db--pending"));
    const id = world.azure.groupId("core", "keyturn");
    await world.azure.containers.stop(id);
    expect(world.worker()).toMatchObject({ state: "Terminated", exitCode: 0 });
    await world.azure.containers.start(id);
    await rotatedAway(world, old);
  });
});
