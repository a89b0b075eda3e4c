import { describe, expect, test } from "vitest";
import { isFault } from "../../../src/errors.ts";
import type { AzureKeys } from "../../../src/providers/azure-keys/azure-keys.ts";
import {
  type KeyedResource,
  keyedResource,
  knownTypes,
} from "../../../src/providers/azure-keys/keyed-resource.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { keyedTypes } from "../../azure/keys/definitions.ts";
import { keyNamed } from "../../azure/keys/resources.ts";
import type { KeyedResourceState } from "../../azure/keys/state.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";
import { type KeysInMemory, keysInMemory } from "../../support/keys-in-memory.ts";

const signal = new AbortController().signal;

function targetOf({ id }: { id: string }): KeyedResource {
  const found = keyedResource(id);
  if (!found) throw new Error(`${id} is not in the table`);
  return found;
}

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
