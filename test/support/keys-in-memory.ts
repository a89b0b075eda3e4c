import { createResourceManager } from "../../src/azure/resource-manager.ts";
import type { CloudName } from "../../src/azure/clouds.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createAzureKeys, type AzureKeys } from "../../src/providers/azure-keys/azure-keys.ts";
import { type KeyedResource, keyedResource } from "../../src/providers/azure-keys/keyed-resource.ts";
import type { SecretValue } from "../../src/secret-value.ts";
import { createContainers } from "../local-azure/container-instances.ts";
import { simulateProcess } from "../local-azure/simulated-process.ts";
import { inMemoryCredential, inMemoryHttpClient } from "../local-azure/in-memory-client.ts";
import { createDataPlane } from "../local-azure/keys/data-plane.ts";
import { addKeyedResource, type KeyedResourceOptions } from "../local-azure/keys/resources.ts";
import type { KeyedResourceState } from "../local-azure/keys/state.ts";
import { resourceGroupId } from "../local-azure/resource-ids.ts";
import { createResourceManager as createService } from "../local-azure/resource-manager.ts";
import { addIdentity, grant } from "../local-azure/resources.ts";
import { createState, type FaultRule, type HttpService } from "../local-azure/state.ts";
import { createTokenAuthority } from "../local-azure/tokens.ts";

const endpoint = "https://management.azure.com";

export interface KeysInMemoryOptions {
  readonly clock?: Clock;
  readonly role?: string;
  readonly cloud?: CloudName;
  readonly learn?: (value: SecretValue) => void;
}

/** The real client of keys, on the local Azure's Resource Manager and data planes, without sockets. */
export async function keysInMemory(options: KeysInMemoryOptions = {}) {
  const { clock = systemClock, role = "Keyturn Keys", cloud = "public", learn } = options;
  const state = createState(clock);
  const tokens = await createTokenAuthority(state);
  const containers = createContainers(state, { environmentFor: async () => ({}), run: simulateProcess });
  const identity = addIdentity(state, "keyturn");
  grant(state, identity.principalId, role, resourceGroupId(state, "data"));
  const routes = new Map<string, HttpService>();
  const sent: Request[] = [];
  const route = (host: string, service: HttpService) =>
    routes.set(host, async (request) => {
      sent.push(request.clone());
      return await service(request);
    });
  route(new URL(endpoint).host, createService(state, tokens, containers));
  const credential = inMemoryCredential(tokens, identity);
  const client = { httpClient: inMemoryHttpClient(routes), retryOptions: { retryDelayInMs: 1 } };
  const resourceManager = createResourceManager({
    credential,
    endpoint,
    scope: `${endpoint}/.default`,
    clock,
    pollEvery: 1,
    client,
  });
  const azureKeys: AzureKeys = createAzureKeys({
    resourceManager,
    cloud,
    client,
    ...(learn ? { learn } : {}),
  });
  return {
    state,
    tokens,
    identity,
    credential,
    client,
    resourceManager,
    azureKeys,
    /** Every request that came in, with its headers. */
    sent,
    route,
    /** A call that does not go through the client. */
    async fetch(request: Request): Promise<Response> {
      const service = routes.get(new URL(request.url).host);
      if (!service) throw new Error(`nothing is served at ${request.url}`);
      return await service(request);
    },
    /** @param host where its service is; it also gets what Resource Manager tells of it, unless `endpoint` says otherwise */
    add(
      path: string,
      { host = "", ...given }: KeyedResourceOptions & { host?: string } = {},
    ): KeyedResourceState {
      const resource = addKeyedResource(state, path, { endpoint: host && `https://${host}`, ...given });
      if (host) route(host, createDataPlane(state, resource));
      return resource;
    },
    addFault(rule: Omit<FaultRule, "id" | "service" | "times"> & Partial<FaultRule>): void {
      state.faults.push({ id: "fault", service: "resource-manager", times: 1, ...rule });
    },
    callsOf: (service: FaultRule["service"]) =>
      state.calls
        .filter((call) => call.service === service)
        .map(({ call }) => call.split("/").slice(8).join("/")),
    [Symbol.asyncDispose]: () => containers.close(),
  };
}

/** As the rotator sees the resource. */
export function targetOf({ id }: { readonly id: string }): KeyedResource {
  const found = keyedResource(id);
  if (!found) throw new Error(`${id} is not in the table`);
  return found;
}

export type KeysInMemory = Awaited<ReturnType<typeof keysInMemory>>;
