import { describe, expect, test } from "vitest";
import { loadPolicy } from "../../src/policy/load.ts";
import { parse, render } from "../../src/rotators/secret-text.ts";
import { azureKey } from "../../src/rotators/azure-key.ts";
import type { BoundRotator, RotatorContext } from "../../src/rotators/rotator.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { keyedTypes } from "../local-azure/keys/definitions.ts";
import { keyNamed } from "../local-azure/keys/resources.ts";
import type { KeyedResourceState } from "../local-azure/keys/state.ts";
import { describeRotator } from "../support/describe-rotator.ts";
import { type KeysInMemory, keysInMemory } from "../support/keys-in-memory.ts";
import { providersWith } from "../support/providers.ts";

const group = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/data/providers";
const storage = `${group}/Microsoft.Storage/storageAccounts/orders`;
const cosmos = `${group}/Microsoft.DocumentDB/databaseAccounts/orders`;

const shared: KeysInMemory = await keysInMemory();
let turn = 0;

/** A resource of its own for each test. */
function addNext(type: string, domain = ""): string {
  turn += 1;
  return shared.add(`${type}/orders${turn}`, domain ? { host: `orders${turn}.${domain}` } : {}).id;
}

for (const [title, target] of [
  [
    "on a storage account",
    async () => ({ resource: addNext("Microsoft.Storage/storageAccounts", "blob.core.windows.net") }),
  ],
  [
    "on an account whose keys are proven by listing them",
    async () => ({ resource: addNext("Microsoft.Maps/accounts") }),
  ],
  [
    "on the read-only keys of Cosmos DB, as a connection string",
    async () => ({
      resource: addNext("Microsoft.DocumentDB/databaseAccounts", "documents.azure.com"),
      keys: ["primaryReadonly", "secondaryReadonly"],
      as: "connectionString",
    }),
  ],
] as const) {
  describeRotator(`azure-key ${title}`, {
    rotator: azureKey,
    target,
    providers: () => providersWith({ azureKeys: shared.azureKeys }),
    written: async () => JSON.stringify(shared.state.calls),
  });
}

interface Scene {
  readonly world: KeysInMemory;
  readonly resource: KeyedResourceState;
  readonly bound: BoundRotator;
  readonly context: RotatorContext;
}

async function start(path: string, more: object = {}, host = ""): Promise<Scene> {
  const world = await keysInMemory();
  const resource = world.add(path, { host });
  const context = {
    providers: providersWith({ azureKeys: world.azureKeys }),
    now: world.state.clock.now(),
    signal: new AbortController().signal,
  };
  return { world, resource, bound: azureKey.on({ resource: resource.id, ...more }), context };
}

function mint({ bound, context }: Scene, slot: string) {
  return bound.mint({ slot, label: "keyturn:prod-kv/orders:r-1", expiresAt: context.now }, context);
}

const present = ({ resource }: Scene, name: string) => new SecretValue(keyNamed(resource, name).value);

describe("a target", () => {
  test.each([
    [{ resource: "orders" }, "Microsoft.Storage/storageAccounts"],
    [{ resource: `${group}/Microsoft.Storage/storageAccounts/../orders` }, "whose keys keyturn knows"],
    [{ resource: `${group}/Microsoft.Storage/storageAccounts/orders/` }, "whose keys keyturn knows"],
    [{ resource: `${group}/Microsoft.Storage/storageAccounts/orders?x=` }, "whose keys keyturn knows"],
    [{ resource: `${group}/Microsoft.ServiceBus/namespaces/orders` }, "whose keys keyturn knows"],
    [{ resource: `${group}/Microsoft.Devices/IotHubs/orders` }, "whose keys keyturn knows"],
    [{ resource: storage, keys: ["key1"] }, "keys"],
    [{ resource: storage, keys: ["key1", "key1"] }, "key1 and key2"],
    [{ resource: storage, keys: ["primary", "secondary"] }, "key1 and key2"],
    [
      { resource: cosmos, keys: ["primary", "secondaryReadonly"] },
      "or primaryReadonly and secondaryReadonly",
    ],
    [
      { resource: `${group}/Microsoft.Maps/accounts/orders`, as: "connectionString" },
      "give the secret a value",
    ],
    [{ resource: storage, as: "json" }, "connectionString"],
    [{ resource: storage, host: "Orders" }, "lower case"],
    [{ resource: storage, verify: "never" }, "list"],
  ])("%j is refused: %s", (target, reason) => {
    expect(() => azureKey.on(target)).toThrow(reason);
  });

  test("owns its two keys, whatever the case of the id; the other pair is free for another secret", () => {
    const writing = azureKey.on({ resource: cosmos.toUpperCase() });
    const reading = azureKey.on({ resource: cosmos, keys: ["secondaryReadonly", "primaryReadonly"] });
    expect(writing.owns).toEqual(["primary", "secondary"].map((key) => `${cosmos.toLowerCase()}/${key}`));
    expect(reading.slots).toEqual(["secondaryReadonly", "primaryReadonly"]);
    expect(new Set([...writing.owns, ...reading.owns]).size).toBe(4);
  });

  test("says how long its kind of provider may take to learn of a key", () => {
    expect(azureKey.on({ resource: storage }).propagation).toBe(0);
    expect(azureKey.on({ resource: cosmos }).propagation).toBeGreaterThan(3_600_000);
  });
});

describe("the secret's text", () => {
  const key = { id: "", value: new SecretValue("c2VjcmV0/+==") };
  const text = (path: string, more: object = {}, cloud?: "china") => {
    const bound = azureKey.on({ resource: `${group}/${path}`, as: "connectionString", ...more }, cloud);
    const rendered = render(bound, bound.template, key);
    expect(parse(bound, bound.template, rendered)?.value.equals(key.value)).toBe(true);
    return rendered.reveal().replace(key.value.reveal(), "KEY");
  };

  test.each([
    [
      "Microsoft.Storage/storageAccounts/orders",
      "DefaultEndpointsProtocol=https;AccountName=orders;AccountKey=KEY;EndpointSuffix=core.windows.net",
    ],
    [
      "Microsoft.ServiceBus/namespaces/ns/authorizationRules/app",
      "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=KEY",
    ],
    [
      "Microsoft.EventHub/namespaces/ns/eventhubs/clicks/authorizationRules/app",
      "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=KEY;EntityPath=clicks",
    ],
    [
      "Microsoft.DocumentDB/databaseAccounts/orders",
      "AccountEndpoint=https://orders.documents.azure.com:443/;AccountKey=KEY;",
    ],
    [
      "Microsoft.SignalRService/signalR/chat",
      "Endpoint=https://chat.service.signalr.net;AccessKey=KEY;Version=1.0;",
    ],
    [
      "Microsoft.SignalRService/webPubSub/chat",
      "Endpoint=https://chat.webpubsub.azure.com;AccessKey=KEY;Version=1.0;",
    ],
  ])("of %s is the connection string that its clients take", (path, expected) => {
    expect(text(path)).toBe(expected);
  });

  test("names the hosts of its cloud", () => {
    expect(text("Microsoft.Storage/storageAccounts/orders", {}, "china")).toContain("=core.chinacloudapi.cn");
    expect(text("Microsoft.ServiceBus/namespaces/ns/authorizationRules/app", {}, "china")).toContain(
      "sb://ns.servicebus.chinacloudapi.cn/",
    );
  });

  test("gets its cloud from the policy", () => {
    const policy = loadPolicy(
      `{ version: 1, cloud: usgovernment, scopes: ["/subscriptions/s"],
         vaults: [{ id: /subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/prod-kv }],
         secrets: [{ vault: prod-kv, name: orders, rotator: azure-key,
           target: { resource: ${storage}, as: connectionString } }] }`,
      { file: "policy.yaml", rotators: [azureKey] },
    );
    const [secret] = policy.secrets;
    expect(secret?.rotator.fields("key1").suffix).toBe("core.usgovcloudapi.net");
    expect(secret?.template).toContain("AccountKey={password}");
  });

  test("takes the host from the target where the id does not tell it", () => {
    const path = "Microsoft.Cache/redisEnterprise/cache/databases/default";
    expect(text(path, { host: "cache.westeurope.redis.azure.net:10000" })).toBe(
      "cache.westeurope.redis.azure.net:10000,password=KEY,ssl=True,abortConnect=False",
    );
    expect(azureKey.on({ resource: `${group}/${path}` }).fields("")).toEqual({
      cluster: "cache",
      database: "default",
    });
  });

  test("is the bare key unless the policy says otherwise, and no field tells one key from the other", () => {
    for (const type of keyedTypes) {
      const [namespace, ...steps] = type.split("/");
      const path = [namespace, ...steps.flatMap((step) => [step, "orders"])].join("/");
      const bound = azureKey.on({ resource: `${group}/${path}` });
      expect(bound.template).toBe("{password}");
      const [one = "", other = ""] = bound.slots;
      expect(bound.fields(one)).toEqual(bound.fields(other));
    }
  });
});

describe("looking", () => {
  const path = "Microsoft.Storage/storageAccounts/orders";

  test("finds the key in use by its value; a value that is neither has no id", async () => {
    const scene = await start(path);
    const known = [present(scene, "key2"), new SecretValue("neither"), present(scene, "key1")];
    const sighting = await scene.bound.observe(
      known.map((value) => ({ id: "", value })),
      scene.context,
    );
    expect(sighting).toEqual({
      exists: ["key1", "key2"],
      accepts: ["accepted", "rejected", "accepted"],
      ids: ["key2", undefined, "key1"],
    });
  });

  test("with an id asks about that key alone", async () => {
    const scene = await start(path);
    const value = present(scene, "key2");
    const known = ["key1", "key2", "key3"].map((id) => ({ id, value }));
    const { accepts } = await scene.bound.observe(known, scene.context);
    expect(accepts).toEqual(["rejected", "accepted", "unknown"]);
  });

  test("says which of the keys are missing, since key access is switched off", async () => {
    const scene = await start("Microsoft.AppConfiguration/configurationStores/orders");
    scene.world.state.keyedResources.set(scene.resource.id.toLowerCase(), { ...scene.resource, keys: [] });
    const { exists } = await scene.bound.observe([], scene.context);
    expect(exists).toEqual([]);
  });

  test("changes nothing and reads only the list of keys", async () => {
    const scene = await start(path);
    await scene.bound.observe([{ id: "", value: new SecretValue("x") }], scene.context);
    expect(
      scene.world.sent.map(({ method, url }) => `${method} ${new URL(url).pathname.split("/").at(-1)}`),
    ).toEqual(["POST listKeys"]);
  });
});

describe("minting", () => {
  test("replaces the free key only; again after a lost answer, too", async () => {
    const scene = await start("Microsoft.Storage/storageAccounts/orders");
    const inUse = present(scene, "key1");
    scene.world.addFault({ match: "regenerateKey", position: "lost" });
    await expect(mint(scene, "key2")).rejects.toMatchObject({ kind: "retriable" });
    const lost = present(scene, "key2");
    const minted = await mint(scene, "key2");
    expect(minted.id).toBe("key2");
    expect(minted.value.equals(present(scene, "key2"))).toBe(true);
    expect(minted.value.equals(lost)).toBe(false);
    expect(present(scene, "key1").equals(inUse)).toBe(true);
  });

  test("never touches a key that is not the policy's, though the resource has it", async () => {
    const scene = await start("Microsoft.DocumentDB/databaseAccounts/orders");
    for (const key of ["primaryReadonly", "", "Primary", "key1"]) {
      await expect(mint(scene, key)).rejects.toMatchObject({ code: "slot-unknown" });
      await expect(scene.bound.revoke(key, scene.context)).rejects.toMatchObject({ code: "slot-unknown" });
    }
    expect(scene.world.sent).toEqual([]);
  });

  test("asks App Configuration by the key's id, and its text holds id and secret", async () => {
    const path = "Microsoft.AppConfiguration/configurationStores/orders";
    const scene = await start(path, { as: "connectionString" });
    const minted = await mint(scene, "Secondary");
    const { id, value } = keyNamed(scene.resource, "Secondary");
    const text = `Endpoint=https://orders.azconfig.io;Id=${id};Secret=${value}`;
    expect(render(scene.bound, scene.bound.template, minted).reveal()).toBe(text);
    const parsed = parse(scene.bound, scene.bound.template, new SecretValue(text));
    const known = parsed ? [parsed] : [];
    expect((await scene.bound.observe(known, scene.context)).ids).toEqual(["Secondary"]);
  });
});

describe("verifying", () => {
  const path = "Microsoft.Storage/storageAccounts/orders";
  const host = "orders.blob.core.windows.net";

  test("tells a key that is not known everywhere yet from one that is not the account's", async () => {
    const scene = await start(path, {}, host);
    scene.resource.delay = 60_000;
    const fresh = await mint(scene, "key2");
    await expect(scene.bound.verify(fresh, scene.context)).rejects.toMatchObject({
      code: "propagation-pending",
    });
    const wrong = { id: "key2", value: new SecretValue("d3Jvbmc=") };
    await expect(scene.bound.verify(wrong, scene.context)).rejects.toMatchObject({
      code: "credential-rejected",
    });
  });

  test("by the list asks no service; a value that is not listed is still rejected", async () => {
    const scene = await start(path, { verify: "list" }, host);
    const fresh = await mint(scene, "key2");
    await expect(scene.bound.verify(fresh, scene.context)).resolves.toBeUndefined();
    const stale = { ...fresh, value: present(scene, "key1") };
    await expect(scene.bound.verify(stale, scene.context)).rejects.toMatchObject({
      code: "credential-rejected",
    });
    expect(scene.world.callsOf("data-plane")).toEqual([]);
  });

  test("of a service without anything to ask is by the list", async () => {
    const scene = await start("Microsoft.Batch/batchAccounts/orders");
    const fresh = await mint(scene, "Secondary");
    await expect(scene.bound.verify(fresh, scene.context)).resolves.toBeUndefined();
  });
});

test("revoking at a resource that is gone has nothing left to do", async () => {
  const scene = await start("Microsoft.Storage/storageAccounts/orders");
  scene.world.state.keyedResources.clear();
  await expect(scene.bound.revoke("key1", scene.context)).resolves.toBeUndefined();
});

test("a provider that is busy may be asked again, one that refuses may not", async () => {
  const scene = await start("Microsoft.Storage/storageAccounts/orders");
  scene.world.addFault({ match: "regenerateKey", position: "before", status: 429, retryAfter: 9 });
  await expect(mint(scene, "key2")).rejects.toMatchObject({ kind: "retriable", retryAfter: 9_000 });
  scene.world.addFault({ match: "regenerateKey", position: "before", status: 403 });
  await expect(mint(scene, "key2")).rejects.toMatchObject({ code: "forbidden", kind: "terminal" });
});
