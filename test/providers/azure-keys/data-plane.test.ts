import { describe, expect, test } from "vitest";
import { SecretValue } from "../../../src/secret-value.ts";
import { type KeyedResourceOptions, keyNamed } from "../../local-azure/keys/resources.ts";
import type { KeyedResourceState } from "../../local-azure/keys/state.ts";
import {
  type KeysInMemory,
  type KeysInMemoryOptions,
  keysInMemory,
  targetOf,
} from "../../support/keys-in-memory.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const { signal } = new AbortController();

interface Plane {
  readonly path: string;
  readonly host: string;
  readonly china: string;
  /** What the service answers to a key it does not know. */
  readonly refusal: number;
}

const planes: readonly Plane[] = [
  {
    path: "Microsoft.Storage/storageAccounts/orders",
    host: "orders.blob.core.windows.net",
    china: "orders.blob.core.chinacloudapi.cn",
    refusal: 403,
  },
  {
    path: "Microsoft.ServiceBus/namespaces/orders/authorizationRules/app",
    host: "orders.servicebus.windows.net",
    china: "orders.servicebus.chinacloudapi.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.ServiceBus/namespaces/orders/queues/in-box/authorizationRules/app",
    host: "orders.servicebus.windows.net",
    china: "orders.servicebus.chinacloudapi.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.EventHub/namespaces/orders/authorizationRules/app",
    host: "orders.servicebus.windows.net",
    china: "orders.servicebus.chinacloudapi.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.EventHub/namespaces/orders/eventhubs/clicks/authorizationRules/app",
    host: "orders.servicebus.windows.net",
    china: "orders.servicebus.chinacloudapi.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.DocumentDB/databaseAccounts/orders",
    host: "orders.documents.azure.com",
    china: "orders.documents.azure.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.CognitiveServices/accounts/orders",
    host: "orders.openai.azure.com",
    china: "orders.openai.azure.cn",
    refusal: 401,
  },
  {
    path: "Microsoft.Search/searchServices/orders",
    host: "orders.search.windows.net",
    china: "orders.search.azure.cn",
    refusal: 403,
  },
];

function planeOf(provider: string): Plane {
  const plane = planes.find(({ path }) => path.includes(provider));
  if (!plane) throw new Error(`no plane of ${provider}`);
  return plane;
}

function use({ azureKeys, state }: KeysInMemory, resource: KeyedResourceState, key: string) {
  return azureKeys.use(targetOf(resource), new SecretValue(key), { now: state.clock.now(), signal });
}

async function start(
  { path, host }: Plane,
  given: KeyedResourceOptions & { host?: string } = {},
  options: KeysInMemoryOptions = {},
) {
  const world = await keysInMemory(options);
  const resource = world.add(path, { host, ...given });
  return Object.assign(world, { resource, key: resource.keys[0]?.value ?? "" });
}

function hosts({ sent }: KeysInMemory): string[] {
  return sent.map(({ url }) => new URL(url).host).filter((host) => host !== "management.azure.com");
}

describe.each(planes)("$path", (plane) => {
  test("each of its keys is accepted, a made-up one and one that was replaced are refused", async () => {
    await using world = await start(plane);
    const { resource, key } = world;
    for (const { value } of resource.keys) expect(await use(world, resource, value)).toBe("accepted");
    expect(await use(world, resource, Buffer.alloc(64, 7).toString("base64"))).toBe("rejected");
    await world.azureKeys.regenerate(targetOf(resource), resource.keys[0]?.name ?? "", signal);
    expect(await use(world, resource, key)).toBe("rejected");
    const { status } = world.state.calls.findLast(({ service }) => service === "data-plane") ?? {};
    expect(status).toBe(plane.refusal);
  });

  test("a key that the service has not learnt of yet is refused until it has", async () => {
    const clock = createVirtualClock();
    await using world = await start(plane, { delay: 60_000 }, { clock });
    world.state.tokenLifetime = 20 * 365 * 24 * 3600;
    const { resource } = world;
    const name = resource.keys[0]?.name ?? "";
    const regenerated = world.azureKeys.regenerate(targetOf(resource), name, signal);
    while (clock.sleepers === 0 && resource.regenerations === 0) await clock.advance(0);
    await clock.advance(10);
    const { value } = await regenerated;
    expect(await use(world, resource, value.reveal())).toBe("rejected");
    await clock.advance(60_000);
    expect(await use(world, resource, value.reveal())).toBe("accepted");
  });

  test("a service that is busy or away says nothing about the key", async () => {
    await using world = await start(plane);
    const { resource, key } = world;
    world.addFault({ service: "data-plane", match: "", position: "before", status: 429, retryAfter: 60 });
    await expect(use(world, resource, key)).rejects.toMatchObject({ code: "throttled", retryAfter: 60_000 });
    world.addFault({ service: "data-plane", match: "", position: "before", status: 500, times: -1 });
    await expect(use(world, resource, key)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("keys go to no host outside Azure's domains, and nowhere without TLS", async () => {
    for (const endpoint of [
      "https://orders.example.org",
      `https://${plane.host}.example.org`,
      `http://${plane.host}`,
    ]) {
      await using world = await start(plane, { endpoint });
      world.route(new URL(endpoint).host, async () => new Response("thanks"));
      await expect(use(world, world.resource, world.key)).rejects.toMatchObject({
        code: "unexpected-response",
      });
      expect(hosts(world)).toEqual([]);
    }
  });

  test("each cloud has its own domains; a cloud of one's own has those that its Resource Manager names", async () => {
    await using china = await start(plane, { host: plane.china }, { cloud: "china" });
    expect(await use(china, china.resource, china.key)).toBe("accepted");
    await using wrong = await start(plane, {}, { cloud: "china" });
    await expect(use(wrong, wrong.resource, wrong.key)).rejects.toMatchObject({
      code: "unexpected-response",
    });
    await using custom = await start(plane, { host: "localhost:4711" }, { cloud: "custom" });
    expect(await use(custom, custom.resource, custom.key)).toBe("accepted");
    expect(hosts(custom)).toEqual(["localhost:4711"]);
  });

  test("a redirect is not followed: a signature, or the key itself, would go along", async () => {
    await using world = await start(plane);
    world.route(plane.host, async () => Response.redirect(`https://${plane.host}/elsewhere`, 307));
    await expect(use(world, world.resource, world.key)).rejects.toMatchObject({
      code: "unexpected-response",
    });
    expect(hosts(world)).toEqual([plane.host]);
  });

  test("neither the key nor the service's words are in a fault", async () => {
    await using world = await start(plane);
    const { resource, key } = world;
    world.route(plane.host, async () => new Response(`you sent ${key}`, { status: 400 }));
    const fault = await use(world, resource, key).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "unexpected-response" });
    expect(`${String(fault)} ${JSON.stringify(fault)}`).not.toContain(key.slice(0, 10));
  });
});

describe("a service that takes no keys at all", () => {
  // AI Search answers as it does to a wrong key.
  const telling = planes.filter(({ path }) => !path.includes("Search"));
  test.each(telling)("is told as such: $path", async (plane) => {
    await using world = await start(plane);
    world.resource.keysOff = true;
    await expect(use(world, world.resource, world.key)).rejects.toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("takes no keys"),
    });
  });
});

describe("a storage account", () => {
  const plane = planeOf("Storage");

  test("without blobs is asked at another of its services", async () => {
    await using world = await start(plane, { services: ["file"], host: "orders.file.core.windows.net" });
    expect(await use(world, world.resource, world.key)).toBe("accepted");
  });

  test("that keyturn may not read is found by its name; in a cloud of one's own it is not", async () => {
    const role = "Storage Account Key Operator Service Role";
    await using world = await start(plane, {}, { role });
    expect(await use(world, world.resource, world.key)).toBe("accepted");
    await using custom = await start(plane, {}, { role, cloud: "custom" });
    await expect(use(custom, custom.resource, custom.key)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("that cannot be read now is asked later, and not by its name", async () => {
    await using world = await start(plane);
    world.addFault({ match: "^GET .*/storageAccounts/orders$", position: "before", status: 500, times: -1 });
    await expect(use(world, world.resource, world.key)).rejects.toMatchObject({ code: "unavailable" });
    expect(hosts(world)).toEqual([]);
  });

  test("whose firewall keeps us out says nothing about the key", async () => {
    await using world = await start(plane);
    const headers = { "x-ms-error-code": "AuthorizationFailure" };
    world.route(plane.host, async () => new Response(null, { status: 403, headers }));
    await expect(use(world, world.resource, world.key)).rejects.toMatchObject({ code: "forbidden" });
  });
});

describe("a rule that may not manage", () => {
  const rules = planes.filter(({ path }) => path.endsWith("/app"));
  test.each(rules)("is refused the description, which shows that its key works: $path", async (plane) => {
    await using world = await start(plane, { rights: ["Send"] });
    expect(await use(world, world.resource, world.key)).toBe("accepted");
    expect(await use(world, world.resource, "wrong")).toBe("rejected");
  });
});

test.each([
  ["Microsoft.ServiceBus/namespaces/orders/authorizationRules/app", "/$namespaceinfo"],
  ["Microsoft.ServiceBus/namespaces/orders/queues/in-box/authorizationRules/app", "/in-box"],
  ["Microsoft.EventHub/namespaces/orders/authorizationRules/app", "/$Resources/EventHubs"],
  ["Microsoft.EventHub/namespaces/orders/eventhubs/clicks/authorizationRules/app", "/clicks"],
])("%s is used to ask for %s; that it is not there is no fault of the key", async (path, asked) => {
  const host = "orders.servicebus.windows.net";
  await using world = await keysInMemory();
  const resource = world.add(path, { host });
  const paths: string[] = [];
  world.route(host, async ({ url }) => {
    paths.push(new URL(url).pathname);
    return new Response(null, { status: 404 });
  });
  expect(await use(world, resource, resource.keys[0]?.value ?? "")).toBe("accepted");
  expect(paths).toEqual([asked]);
});

test("kinds of AI services that list no models are not asked", async () => {
  await using world = await start(planeOf("Cognitive"), { kind: "Face" });
  expect(await use(world, world.resource, "whatever")).toBe("unchecked");
  expect(hosts(world)).toEqual([]);
});

test("services without anything to ask are not asked, and their resources not read", async () => {
  await using world = await keysInMemory();
  const resource = world.add("Microsoft.Maps/accounts/orders");
  expect(await use(world, resource, keyNamed(resource, "primary").value)).toBe("unchecked");
  expect(world.sent).toEqual([]);
});
