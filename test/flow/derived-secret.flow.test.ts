import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMeter, type Meter } from "../demo/meter.ts";
import { attributeOf, type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import {
  firstSweep,
  latestOf,
  logsIn,
  rotatedAway,
  seldom,
  storeWorkingSecret,
  versionsOf,
} from "./fixture.ts";

const stack = new AsyncDisposableStack();
const child = "orders-url";
let world: World;
let meter: Meter;
let receiver: SpanReceiver;
let old: string;
let oldChild: string;

/** What the policy derives from a text of the parent. */
const derived = (text: string) => `${text}?application_name=orders`;

beforeAll(async () => {
  receiver = stack.use(await startSpanReceiver());
  meter = stack.use(await startMeter());
  const subscription = "00000000-0000-4000-8000-000000000001";
  const group = `/subscriptions/${subscription}/resourceGroups/apps/providers/Microsoft.ContainerInstance/containerGroups/reports`;
  world = stack.use(
    await startWorld({
      dependents: ["orders-api"],
      // One event and so one trace; jobs of several share the work as it comes.
      events: ["Microsoft.KeyVault.SecretNearExpiry"],
      secrets: [
        {
          vault: "prod-kv",
          name: child,
          from: "orders-db",
          value: "postgresql://{username}:{password:url}@{host}:{port}/{database}?application_name=orders",
          contentType: "text/x-url",
          dependents: [{ group }],
        },
      ],
      otlp: receiver.url,
      logLevel: "debug",
    }),
  );
  await storeWorkingSecret(world, 90);
  const text = latestOf(world)?.value ?? "";
  oldChild = await world.store(child, derived(text), 90, { team: "reports" });
  await world.startApp("orders-api", meter.url, { environment: seldom });
  await world.startApp("reports", meter.url, { environment: { ...seldom, SECRET_NAME: child } });
  await until("both applications serve", () => meter.servedOn(oldChild).size === 1);
  await world.startWorker();
  await firstSweep(world);
  old = await world.store("orders-db", text, 29);
  await rotatedAway(world, old);
});
afterAll(() => stack.disposeAsync());

describe("a secret that is derived from one near its expiry", () => {
  test("is rebuilt from the new credential in one write, with its parent's expiry", async () => {
    const [parent, latest] = [latestOf(world), latestOf(world, child)];
    expect(latest?.value).toBe(derived(parent?.value ?? ""));
    expect(await logsIn(latest?.value ?? "")).toBe(true);
    expect(latest?.exp).toBe(parent?.exp);
    expect(latest?.contentType).toBe("text/x-url");
    expect(latest?.tags).toMatchObject({
      team: "reports",
      "keyturn-rotation": parent?.tags["keyturn-rotation"],
      "keyturn-from": oldChild,
      "keyturn-credential": "orders_b",
      "keyturn-state": "retired",
    });
  });

  test("has been written once; its old version is disabled, and nothing was parked for it", () => {
    expect(versionsOf(world, child).map(({ enabled }) => enabled)).toEqual([false, true]);
    expect(versionsOf(world, `${child}--pending`)).toEqual([]);
  });

  test("has its own dependents restarted before the old credential retires", async () => {
    const { version = "" } = latestOf(world, child) ?? {};
    await until("the reader of the derived secret serves", () => meter.servedOn(version).has("reports"));
    expect(meter.failedBy("reports") + meter.failedBy("orders-api")).toBe(0);
    expect([world.app("reports")?.restartCount, world.app("orders-api")?.restartCount]).toEqual([0, 0]);
  });

  test("is in the trace of its parent's rotation", async () => {
    const publish = await until("the write's span has arrived", () =>
      receiver.spans.find(({ name }) => name === "publish-derived"),
    );
    const traced = () => receiver.spans.filter(({ traceId }) => traceId === publish.traceId);
    for (const name of ["publish", "publish-derived", "restart group"])
      await until(`${name} is in the trace`, () => traced().some((span) => span.name === name));
    const groups = () => traced().map((span) => String(attributeOf(span, "keyturn.group")).split("/").at(-1));
    for (const group of ["reports", "orders-api"])
      await until(`${group} is in the trace`, () => groups().includes(group));
  });

  test("is built again after somebody stored another parent, and its readers follow", async () => {
    world.azure.subscribe({
      name: "new-versions",
      source: world.vault.id,
      queue: "keyturn-events",
      schema: "CloudEventSchemaV1_0",
      eventTypes: ["Microsoft.KeyVault.SecretNewVersionCreated"],
    });
    const before = latestOf(world, child)?.version ?? "";
    const password = "b".repeat(30);
    await world.setPassword("orders_b", password);
    await world.store("orders-db", world.connectionString("orders_b", password), 80);
    const next = await until("the derived secret follows", () => {
      const latest = latestOf(world, child);
      return latest?.version !== before && latest?.tags["keyturn-state"] === "retired" ? latest : undefined;
    });
    expect(next.value).toBe(derived(latestOf(world)?.value ?? ""));
    await until("its reader serves", () => meter.servedOn(next.version).has("reports"));
    expect(versionsOf(world, child).find(({ version }) => version === before)?.enabled).toBe(false);
  });
});
