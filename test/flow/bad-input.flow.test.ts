import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";
import { latestOf, rotatedAway, storeWorkingSecret } from "./fixture.ts";

const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  // The event itself comes too late to help: what rotates the secret is the good message behind the bad ones.
  world = stack.use(await startWorld({ nearExpiryDelay: 3_600_000, overlap: "1s" }));
  await world.startWorker();
  await until("the first sweep is over", () =>
    world.worker()?.log.some((line) => line.includes("keyturn is up")),
  );
});
afterAll(() => stack.disposeAsync());

const queue = "keyturn-events";

test("bad messages of every kind are settled with a reason, and the good one behind them is served", async () => {
  const old = await storeWorkingSecret(world, 29);
  const bad = badMessages(world, old);
  for (const body of Object.values(bad)) world.azure.serviceBus.deliver(queue, { body });
  const good = event(world, { Version: old });
  for (let copies = 0; copies < 5; copies++)
    world.azure.serviceBus.deliver(queue, { body: JSON.stringify(good) });

  await rotatedAway(world, old);
  await until("every message is settled", () => messages(world, queue).length === 0);
  const reasons = messages(world, `${queue}/$deadletterqueue`).map(
    ({ properties }) => properties.DeadLetterReason,
  );
  expect(reasons.map(String).toSorted()).toEqual([
    "message-invalid",
    "message-invalid",
    "message-invalid",
    "message-invalid",
    "message-not-json",
    "message-not-json",
    "message-too-large",
    "unknown-event-type",
    "unknown-vault",
  ]);
  expect(world.worker()?.restartCount).toBe(0);
});

test("five copies of one event, and events for a version that is not current, rotate nothing twice", async () => {
  const before = world.vault.secrets.get("orders-db")?.versions.length;
  const stale = event(world, { Version: "0".repeat(32) });
  const current = event(world, { Version: latestOf(world)?.version ?? "" });
  for (const body of [stale, current, stale, current, stale]) {
    world.azure.serviceBus.deliver(queue, { body: JSON.stringify(body) });
  }
  await until("every message is settled", () => messages(world, queue).length === 0);
  await until("the last look is over", async () => (await liveJobs(world)) === 0);
  expect(world.vault.secrets.get("orders-db")?.versions.length).toBe(before);
});

test("no reason or description quotes what was sent", () => {
  const described = JSON.stringify(
    messages(world, `${queue}/$deadletterqueue`).map(({ properties }) => properties),
  );
  expect(described).not.toContain("canary");
});

function badMessages({ azure, vault }: World, version: string): Record<string, string> {
  const elsewhere = azure.vaultId("prod-kv").replace("prod-kv", "other-kv");
  const deep = "[".repeat(10_000) + "]".repeat(10_000);
  return {
    notJson: "canary: not json",
    truncated: '{"specversion":"1.0","canary":',
    wrongSchema: JSON.stringify({ canary: true }),
    deep: `{"specversion":"1.0","type":"Microsoft.KeyVault.SecretNearExpiry","data":${deep}}`,
    prototype: '{"__proto__":{"type":"Microsoft.KeyVault.SecretNearExpiry"},"specversion":"1.0"}',
    huge: JSON.stringify({ canary: "x".repeat(1024 * 1024 - 4096) }),
    unknownType: JSON.stringify({
      ...event({ azure, vault }, { Version: version }),
      type: "Microsoft.KeyVault.Party",
    }),
    otherVault: JSON.stringify({
      ...event({ azure, vault }, { Version: version }),
      source: elsewhere,
      data: {
        ...event({ azure, vault }, { Version: version }).data,
        VaultName: "other-kv",
        Id: `https://other-kv.vault.azure.net/secrets/orders-db/${version}`,
      },
    }),
    disagreeing: JSON.stringify({
      ...event({ azure, vault }, { Version: version }),
      subject: "another-secret",
    }),
    // Not managed by the policy: completed as a no-op, not dead-lettered.
    notOurs: JSON.stringify(event({ azure, vault }, { Version: version, ObjectName: "somebody-elses" })),
  };
}

function event(
  { azure, vault }: Pick<World, "azure" | "vault">,
  data: { Version: string; ObjectName?: string },
) {
  const { ObjectName = "orders-db", Version } = data;
  return {
    id: crypto.randomUUID(),
    source: azure.vaultId("prod-kv"),
    subject: ObjectName,
    type: "Microsoft.KeyVault.SecretNearExpiry",
    time: new Date().toISOString(),
    specversion: "1.0",
    data: {
      Id: `${vault.url}/secrets/${ObjectName}/${Version}`,
      VaultName: "prod-kv",
      ObjectType: "Secret",
      ObjectName,
      Version,
      NBF: null,
      EXP: null,
    },
  };
}

function messages({ azure }: World, name: string) {
  return azure.state.queues.get(name)?.messages ?? [];
}

/** Jobs of `rotate-secret` that wait or run. */
async function liveJobs({ redis }: World): Promise<number> {
  const lists = await Promise.all(
    ["wait", "active"].map((list) => redis.admin("LLEN", `keyturn:rotate-secret:${list}`)),
  );
  return lists.reduce<number>((sum, count) => sum + Number(count), 0);
}
