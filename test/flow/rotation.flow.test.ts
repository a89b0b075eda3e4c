import { z } from "zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMeter, type Meter } from "../demo/meter.ts";
import { attributeOf, type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { firstSweep, latestOf, logsIn, rotatedAway, storeWorkingSecret, versionsOf } from "./fixture.ts";

const stack = new AsyncDisposableStack();
let world: World;
let meter: Meter;
let receiver: SpanReceiver;

beforeAll(async () => {
  receiver = stack.use(await startSpanReceiver());
  meter = stack.use(await startMeter());
  world = stack.use(
    await startWorld({
      dependents: ["orders-api"],
      discover: "keyturn-secrets",
      // One event and so one trace; jobs of several share the work as it comes.
      events: ["Microsoft.KeyVault.SecretNearExpiry"],
      otlp: receiver.url,
      logLevel: "debug",
      // Time enough for the applications to be up when it comes.
      nearExpiryDelay: 10_000,
    }),
  );
});
afterAll(() => stack.disposeAsync());

describe("a secret with two roles, near its expiry", () => {
  let old: string;
  let oldText: string;
  const started = new Map<string, number | undefined>();

  beforeAll(async () => {
    await world.startWorker();
    await firstSweep(world);
    old = await storeWorkingSecret(world, 29, "orders_a", { team: "orders" });
    await world.startApp("orders-api", meter.url);
    await world.startApp("reports", meter.url, { tags: { "keyturn-secrets": "orders-db" } });
    await world.startApp("bystander", meter.url);
    await until("the applications serve queries", () => meter.servedOn(old).size === 3);
    oldText = latestOf(world)?.value ?? "";
    for (const name of ["orders-api", "reports", "bystander"]) started.set(name, world.app(name)?.startTime);
    await rotatedAway(world, old);
  });

  test("gets a new version in one write: value, expiry, content type and tags", () => {
    const latest = latestOf(world);
    expect(latest?.contentType).toBe("text/plain");
    expect(latest?.tags).toMatchObject({
      team: "orders",
      "keyturn-from": old,
      "keyturn-credential": "orders_b",
    });
    expect(Math.round(((latest?.exp ?? 0) - (latest?.created ?? 0)) / 86_400)).toBe(90);
  });

  test("ends with the new credential accepted, the old one refused and its version disabled", async () => {
    expect(await logsIn(latestOf(world)?.value ?? "")).toBe(true);
    expect(await logsIn(oldText)).toBe(false);
    expect(versionsOf(world).find(({ version }) => version === old)?.enabled).toBe(false);
  });

  test("leaves no candidate that could be used: the parked copy is disabled, not deleted", () => {
    expect(versionsOf(world, "orders-db--pending").map(({ enabled }) => enabled)).toEqual([false]);
  });

  test("restarts its dependents, listed or tagged, and nobody else", async () => {
    await until(
      "the tagged group has been restarted",
      () => world.app("reports")?.startTime !== started.get("reports"),
    );
    expect(world.app("orders-api")?.startTime).toBeGreaterThan(started.get("orders-api") ?? 0);
    expect(world.app("bystander")?.startTime).toBe(started.get("bystander"));
    expect(world.worker()?.restartCount).toBe(0);
  });

  test("fails no query of a dependent that was restarted", async () => {
    const version = latestOf(world)?.version ?? "";
    await until("the restarted applications serve queries", () => meter.servedOn(version).size === 2);
    expect([...meter.servedOn(version).keys()].toSorted()).toEqual(["orders-api", "reports"]);
    // The bystander still uses the old role: nobody told keyturn of it. Its failures are the only ones.
    expect(meter.failedBy("orders-api") + meter.failedBy("reports")).toBe(0);
  });

  test("is one trace from the receive of the event to the restarts", async () => {
    const restart = await until("the restart's span has arrived", () =>
      receiver.spans.find(
        (span) =>
          span.name === "restart group" && String(attributeOf(span, "keyturn.group")).endsWith("/orders-api"),
      ),
    );
    const names = receiver.spans.filter(({ traceId }) => traceId === restart.traceId).map(({ name }) => name);
    for (const start of ["receive ", "rotate secret", "park", "apply", "publish", "roll dependents"]) {
      expect(names.some((name) => name.startsWith(start))).toBe(true);
    }
    const receive = receiver.spans.find(
      ({ name, traceId }) => name.startsWith("receive ") && traceId === restart.traceId,
    );
    expect(attributeOf(receive ?? restart, "keyturn.event")).toBeDefined();
  });

  test("leaves no value in Redis, in spans, in logs, in the database's log or in messages", async () => {
    const values = [...versionsOf(world), ...versionsOf(world, "orders-db--pending")].map(
      ({ value }) => value,
    );
    const passwords = values.map((value) => decodeURIComponent(new URL(value).password));
    const places = {
      redis: await dumpRedis(world),
      spans: receiver.raw.join("\n"),
      log: world.worker()?.log.join("\n") ?? "",
      postgres: await world.postgres.log(),
      queues: JSON.stringify([...world.azure.state.queues.values()]),
    };
    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).toBeGreaterThan(0);
      for (const secret of [...values, ...passwords])
        expect(text.includes(secret), `a value in ${place}`).toBe(false);
    }
  });
});

/** Every key and everything in it. */
async function dumpRedis({ redis }: World): Promise<string> {
  const keys = z.array(z.string()).parse(await redis.admin("KEYS", "*"));
  const dumps = await Promise.all(keys.map((key) => readKey(redis, key)));
  return JSON.stringify(dumps);
}

async function readKey(redis: World["redis"], key: string): Promise<unknown> {
  const type = await redis.admin("TYPE", key);
  const read: Record<string, string[]> = {
    string: ["GET", key],
    hash: ["HGETALL", key],
    list: ["LRANGE", key, "0", "-1"],
    set: ["SMEMBERS", key],
    zset: ["ZRANGE", key, "0", "-1"],
    stream: ["XRANGE", key, "-", "+"],
  };
  const [command = "TYPE", ...args] = read[String(type)] ?? ["TYPE", key];
  return [key, await redis.admin(command, ...args)];
}
