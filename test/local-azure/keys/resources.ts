import { randomBytes } from "node:crypto";
import type { Clock } from "../../../src/clock.ts";
import { keyedResourceId } from "../resource-ids.ts";
import type { AzureState } from "../state.ts";
import { keyApiOf } from "./definitions.ts";
import type { KeyedResourceState, KeyState } from "./state.ts";

export type KeyedResourceOptions = Partial<
  Pick<KeyedResourceState, "kind" | "rights" | "services" | "delay" | "endpoint">
> & { readonly resourceGroup?: string };

/** @param path from the provider on: `Microsoft.Storage/storageAccounts/orders`. @throws Error for an unknown type */
export function addKeyedResource(
  state: AzureState,
  path: string,
  options: KeyedResourceOptions = {},
): KeyedResourceState {
  const { resourceGroup, endpoint = "", ...given } = options;
  const type = typeOf(path);
  const resource: KeyedResourceState = {
    kind: "OpenAI",
    rights: ["Manage", "Send", "Listen"],
    services: ["blob", "queue", "table", "file"],
    delay: 0,
    ...given,
    id: keyedResourceId(state, path, resourceGroup),
    type,
    keys: keyApiOf(type).keys.map((name) => ({
      name,
      id: randomBytes(8).toString("hex"),
      value: newKey(),
      previous: undefined,
    })),
    endpoint,
    keysOff: false,
    regenerations: 0,
  };
  state.keyedResources.set(resource.id.toLowerCase(), resource);
  return resource;
}

/** Replaces a key; the old value dies at once, or when the service has learnt of it. */
export function regenerate(resource: KeyedResourceState, key: KeyState, clock: Clock): void {
  resource.regenerations += 1;
  key.previous = resource.delay > 0 ? { value: key.value, until: clock.now() + resource.delay } : undefined;
  key.value = newKey();
}

/** The values that the service takes now. */
export function acceptedKeys(
  resource: KeyedResourceState,
  clock: Clock,
  names?: readonly string[],
): string[] {
  return resource.keys
    .filter(({ name }) => names?.includes(name) ?? true)
    .map(({ value, previous }) => (previous && clock.now() < previous.until ? previous.value : value));
}

export function keyNamed(resource: KeyedResourceState, name: string): KeyState {
  const key = resource.keys.find((one) => one.name === name);
  if (!key) throw new Error(`${resource.id} has no key ${name}`);
  return key;
}

/** `Microsoft.ServiceBus/namespaces/orders/queues/in` -> `Microsoft.ServiceBus/namespaces/queues` */
export function typeOf(path: string): string {
  const [namespace, ...steps] = path.split("/");
  return [namespace, ...steps.filter((_, index) => index % 2 === 0)].join("/");
}

/** What all of these providers hand out: 64 random bytes in base64. */
function newKey(): string {
  return randomBytes(64).toString("base64");
}
