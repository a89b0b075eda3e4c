import { ContainerInstanceManagementClient } from "@azure/arm-containerinstance";
import { type ContainerGroups, createContainerGroups } from "../../../src/azure/container-instances.ts";
import { type Clock, systemClock } from "../../../src/clock.ts";
import { type ContainersOptions, createContainers } from "../container-instances.ts";
import { simulateProcess } from "../simulated-process.ts";
import { inMemoryCredential, inMemoryHttpClient } from "../in-memory-client.ts";
import { groupId, resourceGroupId } from "../resource-ids.ts";
import { createResourceManager, type ResourceManagerOptions } from "../resource-manager.ts";
import { addIdentity, grant } from "../resources.ts";
import { createState, type FaultRule } from "../state.ts";
import { createTokenAuthority } from "../tokens.ts";
import type { AnswerOptions } from "./operations.ts";

export interface FixtureOptions extends Partial<ContainersOptions>, ResourceManagerOptions {
  readonly clock?: Clock;
  readonly role?: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const host = "management.azure.com";
const scope = `https://${host}/.default`;

/** Resource Manager in memory, a principal with a role on the resource group `apps`, and the real SDK as its client. */
export async function createFixture(options: FixtureOptions = {}) {
  const state = createState(options.clock ?? systemClock);
  const tokens = await createTokenAuthority(state);
  const answers: AnswerOptions = { ...options.answers };
  const own: Mutable<ContainersOptions> = {
    environmentFor: async () => ({}),
    run: simulateProcess,
    ...options,
  };
  const containers = createContainers(state, own);
  const service = createResourceManager(state, tokens, containers, { ...options, answers });
  const identity = addIdentity(state, "operator");
  grant(state, identity.principalId, options.role ?? "Contributor", resourceGroupId(state, "apps"));

  const credential = inMemoryCredential(tokens, identity);
  const client = {
    httpClient: inMemoryHttpClient(new Map([[host, service]])),
    retryOptions: { retryDelayInMs: 1 },
  };
  const sdk = new ContainerInstanceManagementClient(credential, state.subscriptionId, {
    ...client,
    endpoint: `https://${host}`,
    credentialScopes: [scope],
  });
  const groups: ContainerGroups = createContainerGroups({
    credential,
    endpoint: `https://${host}`,
    scope,
    pollEvery: 1,
    client,
  });
  /** A plain call; paths get an api-version unless they have a query. */
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const { token } = await tokens.issue(identity, `https://${host}`);
    const query = path.includes("?") ? "" : "?api-version=2023-05-01";
    const headers = { authorization: `Bearer ${token}` };
    const text = body === undefined ? null : JSON.stringify(body);
    return await service(new Request(`https://${host}${path}${query}`, { method, headers, body: text }));
  };
  return {
    state,
    tokens,
    containers,
    service,
    identity,
    answers,
    /** What the containers were made with; `operationTime` and `environmentFor` may be changed. */
    options: own,
    sdk: sdk.containerGroups,
    logs: sdk.containers,
    groups,
    call,
    id: (name: string) => groupId(state, "apps", name),
    addFault(rule: Omit<FaultRule, "id" | "service" | "times"> & { times?: number }): void {
      state.faults.push({ id: "fault", service: "resource-manager", times: 1, ...rule });
    },
    close: () => containers.close(),
    [Symbol.asyncDispose]: () => containers.close(),
  };
}

export type Fixture = Awaited<ReturnType<typeof createFixture>>;

/** Body of a PUT with one container that runs `script` under Node, or idles. */
export function definitionOf(
  script?: string,
  {
    properties = {},
    container = {},
    ...rest
  }: { properties?: object; container?: object; [other: string]: unknown } = {},
): object {
  return {
    location: "westeurope",
    ...rest,
    properties: {
      osType: "Linux",
      containers: [
        {
          name: "app",
          properties: {
            image: "app:1",
            ...(script === undefined ? {} : { command: ["node", "--eval", script] }),
            resources: { requests: { cpu: 0.5, memoryInGB: 0.5 } },
            ...container,
          },
        },
      ],
      ...properties,
    },
  };
}

export async function bodyOf(response: Response | Promise<Response>) {
  return JSON.parse(await (await response).text());
}

/** Status and code of an error answer. */
export async function answerOf(call: Promise<Response>): Promise<[number, unknown]> {
  const response = await call;
  const { error } = await bodyOf(response);
  return [response.status, error.code];
}
