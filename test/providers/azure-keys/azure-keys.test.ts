import { describe, expect, test } from "vitest";
import type { AzureKeys } from "../../../src/providers/azure-keys/azure-keys.ts";
import { knownTypes } from "../../../src/providers/azure-keys/keyed-resource.ts";
import type { KeyedResource } from "../../../src/providers/azure-keys/keyed-resource.ts";
import { keyedTypes } from "../../local-azure/keys/definitions.ts";
import type { KeyedResourceState } from "../../local-azure/keys/state.ts";
import { keysInMemory, targetOf } from "../../support/keys-in-memory.ts";

const { signal } = new AbortController();

/** `Microsoft.Cache/redisEnterprise/databases` -> `Microsoft.Cache/redisEnterprise/orders/databases/orders` */
function pathOf(type: string): string {
  const [namespace, ...steps] = type.split("/");
  return [namespace, ...steps.flatMap((step) => [step, "orders"])].join("/");
}

function valuesOf({ keys }: KeyedResourceState): Record<string, string> {
  return Object.fromEntries(keys.map(({ name, value }) => [name, value]));
}

async function listed(azureKeys: AzureKeys, resource: KeyedResource): Promise<Record<string, string>> {
  const keys = await azureKeys.list(resource, signal);
  return Object.fromEntries([...keys].map(([name, { value }]) => [name, value.reveal()]));
}

test("the table has every type whose keys the local Azure knows, and no other", () => {
  expect(knownTypes().toSorted()).toEqual(keyedTypes.toSorted());
});

describe.each(keyedTypes)("%s", (type) => {
  test("all its keys are listed under the names by which they are regenerated", async () => {
    await using world = await keysInMemory();
    const resource = world.add(pathOf(type));
    const target = targetOf(resource);
    expect(await listed(world.azureKeys, target)).toEqual(valuesOf(resource));
    expect(target.kind.pairs.flat()).toEqual(resource.keys.map(({ name }) => name));
  });

  test("regenerating replaces exactly the key that is named, and gives its new value", async () => {
    await using world = await keysInMemory();
    const resource = world.add(pathOf(type));
    const target = targetOf(resource);
    for (const name of target.kind.pairs.flat()) {
      const before = valuesOf(resource);
      const { value } = await world.azureKeys.regenerate(target, name, signal);
      expect(valuesOf(resource)).toEqual({ ...before, [name]: value.reveal() });
      expect(value.reveal()).not.toBe(before[name]);
    }
    expect(resource.regenerations).toBe(target.kind.pairs.flat().length);
  });
});

describe("any resource", () => {
  const path = "Microsoft.Storage/storageAccounts/orders";

  test("that does not exist is a question for somebody, whatever is asked of it", async () => {
    await using world = await keysInMemory();
    const target = targetOf(world.add(path));
    world.state.keyedResources.clear();
    const fault = { code: "target-missing", message: expect.stringContaining(target.id) };
    await expect(world.azureKeys.list(target, signal)).rejects.toMatchObject(fault);
    await expect(world.azureKeys.regenerate(target, "key1", signal)).rejects.toMatchObject(fault);
  });

  test("needs a role: without one nothing is listed and nothing regenerated", async () => {
    await using world = await keysInMemory({ role: "Reader" });
    const resource = world.add(path);
    const fault = { code: "forbidden", kind: "terminal" };
    await expect(world.azureKeys.list(targetOf(resource), signal)).rejects.toMatchObject(fault);
    await expect(world.azureKeys.regenerate(targetOf(resource), "key1", signal)).rejects.toMatchObject(fault);
    expect(resource.regenerations).toBe(0);
  });

  test("with no key of that name is left alone", async () => {
    await using world = await keysInMemory();
    const resource = world.add(path);
    await expect(world.azureKeys.regenerate(targetOf(resource), "kerb1", signal)).rejects.toMatchObject({
      code: "slot-unknown",
    });
    expect(resource.regenerations).toBe(0);
  });

  test("that still lists the old key after it was regenerated is asked again later", async () => {
    await using world = await keysInMemory();
    const resource = world.add("Microsoft.DocumentDB/databaseAccounts/orders");
    const [key] = resource.keys;
    const stale = key?.value ?? "";
    Object.defineProperty(key, "value", { get: () => stale, set: () => {} });
    await expect(world.azureKeys.regenerate(targetOf(resource), "primary", signal)).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  test("that is throttled or away may be asked again; its regeneration was sent once", async () => {
    await using world = await keysInMemory();
    const resource = world.add(path);
    const target = targetOf(resource);
    world.addFault({ match: "regenerateKey", position: "before", status: 429, retryAfter: 3 });
    await expect(world.azureKeys.regenerate(target, "key1", signal)).rejects.toMatchObject({
      code: "throttled",
      kind: "retriable",
      retryAfter: 3_000,
    });
    expect(resource.regenerations).toBe(0);
    world.addFault({ match: "regenerateKey", position: "after", status: 500 });
    await expect(world.azureKeys.regenerate(target, "key1", signal)).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(resource.regenerations).toBe(1);
  });

  test("is listed in spite of a hiccup: reading may be repeated", async () => {
    await using world = await keysInMemory();
    const resource = world.add(path);
    world.addFault({ match: "listKeys", position: "before", status: 503, times: 2 });
    expect(await listed(world.azureKeys, targetOf(resource))).toEqual(valuesOf(resource));
  });

  test("tells whoever keeps logs clean of every key that it showed", async () => {
    const learnt = new Set<string>();
    await using world = await keysInMemory({ learn: (value) => learnt.add(value.reveal()) });
    const resource = world.add(path);
    const before = Object.values(valuesOf(resource));
    await world.azureKeys.regenerate(targetOf(resource), "key2", signal);
    expect(learnt).toEqual(new Set([...before, ...Object.values(valuesOf(resource))]));
  });
});
