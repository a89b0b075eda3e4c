import { afterAll, beforeAll, expect, test } from "vitest";
import { keyNamed } from "../local-azure/keys/resources.ts";
import type { KeyedResourceState } from "../local-azure/keys/state.ts";
import { createState, type SecretVersionState } from "../local-azure/state.ts";
import { systemClock } from "../../src/clock.ts";
import { keyedResourceId } from "../local-azure/resource-ids.ts";
import { type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { latestOf, versionsOf } from "./fixture.ts";

const name = "blob-store";
const path = "Microsoft.Storage/storageAccounts/orders";
const resource = keyedResourceId(createState(systemClock), path);

const stack = new AsyncDisposableStack();
let world: World;
let receiver: SpanReceiver;
let account: KeyedResourceState;
/** The keys as they were before anything turned. */
let first: Record<string, string>;
let stored: string;
let latest: SecretVersionState;

beforeAll(async () => {
  receiver = stack.use(await startSpanReceiver());
  const target = { resource, as: "connectionString" };
  const secrets = [{ vault: "prod-kv", name, rotator: "azure-key", target }];
  world = stack.use(await startWorld({ secrets, otlp: receiver.url, logLevel: "debug", overlap: "2s" }));
  account = await world.azure.addKeyedResource(path);
  world.azure.grant(world.workerIdentity.identity.principalId, "Keyturn Keys", account.id);
  first = Object.fromEntries(account.keys.map((key) => [key.name, key.value]));
  // The first new key comes to be, and nobody hears of it.
  world.azure.state.faults.push({
    id: "lost",
    service: "resource-manager",
    match: "POST .*/regenerateKey",
    position: "lost",
    times: 1,
  });
  stored = await world.store(name, connectionString(first.key1 ?? ""), 29);
  await world.startWorker();
  latest = await until("the rotation is closed", closed, { limit: 240_000 });
});
afterAll(() => stack.disposeAsync());

function closed(): SecretVersionState | undefined {
  const version = latestOf(world, name);
  return version?.version !== stored && version?.tags["keyturn-state"] === "retired" ? version : undefined;
}

function connectionString(key: string): string {
  return `DefaultEndpointsProtocol=https;AccountName=orders;AccountKey=${key};EndpointSuffix=core.windows.net`;
}

test("publishes a connection string with the other key, which was made anew", () => {
  const { value } = keyNamed(account, "key2");
  expect(latest.value).toBe(connectionString(value));
  expect(value).not.toBe(first.key2);
  expect(latest.tags).toMatchObject({ "keyturn-from": stored, "keyturn-credential": "key2" });
});

test("leaves the key in use alone until its turn to retire, and then ends it", () => {
  const { calls } = world.azure.state;
  const published = calls.findLastIndex(({ call }) => call === `PUT /secrets/${name}`);
  const regenerated = calls.flatMap(({ call }, index) => (call.includes("/regenerateKey") ? [index] : []));
  // The one whose answer was lost and the one after it, before the new version; the old key, after it.
  expect(regenerated.map((index) => index > published)).toEqual([false, false, true]);
  expect(keyNamed(account, "key1").value).not.toBe(first.key1);
  expect(versionsOf(world, name).find(({ version }) => version === stored)?.enabled).toBe(false);
});

test("proves the new key at the account before it is published", () => {
  const { calls } = world.azure.state;
  const used = calls.findIndex(({ service, status }) => service === "data-plane" && status === 200);
  expect(used).toBeGreaterThan(0);
  expect(used).toBeLessThan(calls.findLastIndex(({ call }) => call === `PUT /secrets/${name}`));
});

test("leaves no key in spans, in logs or in messages", async () => {
  await until("the last span has arrived", () => receiver.spans.find(({ name: span }) => span === "close"));
  const keys = [...Object.values(first), ...account.keys.map(({ value }) => value), latest.value];
  const places = {
    spans: receiver.raw.join("\n"),
    log: world.worker()?.log.join("\n") ?? "",
    queues: JSON.stringify([...world.azure.state.queues.values()]),
  };
  for (const [place, text] of Object.entries(places)) {
    expect(text.length, place).toBeGreaterThan(0);
    for (const key of keys) expect(text.includes(key.slice(0, 12)), `a key in ${place}`).toBe(false);
  }
});
