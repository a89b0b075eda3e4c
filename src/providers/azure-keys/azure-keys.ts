import type { CloudName } from "../../azure/clouds.ts";
import type { ResourceManager } from "../../azure/resource-manager.ts";
import type { Timestamp } from "../../clock.ts";
import { Fault, isFault } from "../../errors.ts";
import type { SecretValue } from "../../secret-value.ts";
import { attribute } from "../../telemetry/names.ts";
import { inSpan } from "../../telemetry/span.ts";
import { aiSearch, aiServices } from "./api-key.ts";
import { cosmos } from "./cosmos.ts";
import { createCallDataPlane, type DataPlane, type DataPlaneOptions, type Judgement } from "./data-plane.ts";
import type { DataPlaneName, ListedKey, ListedKeys } from "./key-kind.ts";
import { hostOf, type KeyedResource } from "./keyed-resource.ts";
import { eventHubs, serviceBus } from "./shared-access.ts";
import { storage } from "./storage.ts";

/** The keys of Azure resources, and the services that take them. Every method throws a `Fault`. */
export interface AzureKeys {
  /** The present keys. @throws Fault `target-missing` if there is no such resource */
  list(resource: KeyedResource, signal: AbortSignal): Promise<ListedKeys>;
  /**
   * Replaces the key `name` and no other; the old value dies. Sent once: after a retriable fault it may have happened,
   * and doing it again only replaces a key that nobody has.
   * @throws Fault `target-missing`; `slot-unknown` if the resource has no such key
   */
  regenerate(resource: KeyedResource, name: string, signal: AbortSignal): Promise<ListedKey>;
  /**
   * Uses a key as a client of the service does. `unchecked`: the service offers nothing that would show it.
   * @throws Fault `forbidden` if the service lets nobody in with a key, or not from here
   */
  use(
    resource: KeyedResource,
    key: SecretValue,
    context: { readonly now: Timestamp; readonly signal: AbortSignal },
  ): Promise<Judgement | "unchecked">;
}

export interface AzureKeysOptions {
  readonly resourceManager: ResourceManager;
  readonly cloud: CloudName;
  /** Told of every key that comes from a provider, so that it can be kept out of logs and spans. */
  readonly learn?: (value: SecretValue) => void;
  readonly client?: DataPlaneOptions;
}

const planes: Readonly<Record<DataPlaneName, DataPlane>> = {
  storage,
  "service-bus": serviceBus,
  "event-hubs": eventHubs,
  cosmos,
  "ai-services": aiServices,
  "ai-search": aiSearch,
};

export function createAzureKeys(options: AzureKeysOptions): AzureKeys {
  const { resourceManager, cloud, learn = () => {} } = options;
  const callDataPlane = createCallDataPlane(options.client ?? {});
  const readKeys = ({ kind }: KeyedResource, answer: unknown): ListedKeys => {
    const keys = kind.read(answer);
    for (const { value } of keys.values()) learn(value);
    return keys;
  };
  const list: AzureKeys["list"] = async (resource, signal) => {
    const { apiVersion, list: operation } = resource.kind;
    const answer = await found(
      resource,
      resourceManager.post(resource.id, operation, { apiVersion, reads: true }, signal),
    );
    return readKeys(resource, answer);
  };
  return {
    list,
    async regenerate(resource, name, signal) {
      const { kind } = resource;
      const before = (await list(resource, signal)).get(name);
      if (!before) throw noSuchKey(resource, name);
      const { operation, body } = kind.regenerate(name, before);
      const call = resourceManager.post(
        resource.id,
        operation,
        { apiVersion: kind.apiVersion, body },
        signal,
      );
      const answer = await found(resource, call);
      const after = readKeys(resource, answer).get(name) ?? (await list(resource, signal)).get(name);
      if (after && !after.value.equals(before.value)) return after;
      throw new Fault("unavailable", `${resource.id} still shows the old ${name} after it was regenerated`);
    },
    async use(resource, key, { now, signal }) {
      const plane = resource.kind.dataPlane && planes[resource.kind.dataPlane];
      const endpoint = plane && (await locate(resource, plane, { resourceManager, cloud, signal }));
      if (!endpoint) return "unchecked";
      const attributes = { [attribute.resource]: resource.id, "server.address": endpoint.hostname };
      return await inSpan("AzureKeys.use", attributes, () =>
        callDataPlane(plane, { resource, key, endpoint, now }, signal),
      );
    },
  };
}

async function found<T>(resource: KeyedResource, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!isFault(error, "not-found")) throw error;
    const text = `Azure has no ${resource.id}; correct the policy's resource, or make it`;
    throw new Fault("target-missing", text, { cause: error.cause });
  }
}

function noSuchKey({ id }: KeyedResource, name: string): Fault {
  return new Fault("slot-unknown", `${id} lists no key named ${name}; are its keys switched off?`);
}

/**
 * Where the resource's service is: what Resource Manager says of it, or, where keyturn may not read the resource, what
 * its name says. Whatever is signed with a key goes nowhere else, and in Azure's clouds only to Azure's domains.
 */
async function locate(
  resource: KeyedResource,
  plane: DataPlane,
  {
    resourceManager,
    cloud,
    signal,
  }: Pick<AzureKeysOptions, "resourceManager" | "cloud"> & {
    signal: AbortSignal;
  },
): Promise<URL | undefined> {
  const told = hostOf(resource, cloud);
  const byName = cloud !== "custom" && told ? `https://${told}` : undefined;
  const described = await describe(resource, plane, { resourceManager, signal }).catch((error: unknown) => {
    if (isFault(error, "forbidden") && byName) return { endpoint: byName };
    throw error;
  });
  if (!described) throw badEndpoint(resource);
  const text = described.endpoint ?? byName;
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url?.protocol === "https:" && isAzures(url, plane, cloud)) return url;
  throw badEndpoint(resource);
}

async function describe(
  resource: KeyedResource,
  plane: DataPlane,
  { resourceManager, signal }: { resourceManager: ResourceManager; signal: AbortSignal },
): Promise<{ endpoint: string | undefined } | undefined> {
  const id = plane.owner?.(resource) ?? resource.id;
  const { apiVersion } = resource.kind;
  const answer = await found(resource, resourceManager.get(id, { apiVersion }, signal));
  const parsed = plane.Description.safeParse(answer);
  return parsed.success ? { endpoint: parsed.data } : undefined;
}

function isAzures({ hostname }: URL, { domains }: DataPlane, cloud: CloudName): boolean {
  return cloud === "custom" || domains[cloud].some((domain) => hostname.endsWith(`.${domain}`));
}

function badEndpoint({ id }: KeyedResource): Fault {
  return new Fault(
    "unexpected-response",
    `Resource Manager names no endpoint of ${id} that a key may be used at`,
  );
}
