import { readFile } from "node:fs/promises";
import { type CloudEndpoints, type CloudName, endpointsOf, redisScope } from "./azure/clouds.ts";
import { createContainerGroups } from "./azure/container-instances.ts";
import { createGraph } from "./azure/graph/graph.ts";
import { createVaults } from "./azure/key-vault.ts";
import { createCredential, type ManagedIdentity } from "./azure/managed-identity.ts";
import { createResourceManager } from "./azure/resource-manager.ts";
import { systemClock as clock } from "./clock.ts";
import { checkCloud, type ClientConfig } from "./config/config.ts";
import { Fault } from "./errors.ts";
import type { Log } from "./log.ts";
import { loadPolicy } from "./policy/load.ts";
import type { Policy } from "./policy/policy.ts";
import { createAzureKeys } from "./providers/azure-keys/azure-keys.ts";
import { createHttpEndpoint } from "./providers/http/client.ts";
import { createMariaDb } from "./providers/mysql/client.ts";
import { createPostgres } from "./providers/postgres/client.ts";
import { connectRedis, type RedisConnections } from "./queue/redis.ts";
import type { RotationPorts } from "./rotation/ports.ts";
import { rotators } from "./rotators/index.ts";
import type { Providers } from "./rotators/rotator.ts";
import type { Scrubber } from "./telemetry/scrubber.ts";

/** What the worker and the commands have in common: the policy, the identity, and the systems behind their ports. */
export interface Base {
  readonly config: ClientConfig;
  readonly policy: Policy;
  readonly log: Log;
  readonly scrubber: Scrubber;
  readonly cloud: CloudEndpoints;
  readonly credential: ManagedIdentity;
  readonly ports: RotationPorts;
}

export async function openBase<C extends ClientConfig>(
  config: C,
  log: Log,
  scrubber: Scrubber,
): Promise<Base & { config: C }> {
  const policy = await readPolicy(config.policyFile, config.endpoints.vaults);
  const endpoints = checkCloud(config, policy.cloud);
  const cloud = endpointsOf(policy.cloud, endpoints?.resourceManager, endpoints);
  const credential = createCredential({ clientId: config.clientId, clock });
  const ports: RotationPorts = {
    policy,
    clock,
    vaults: createVaults(policy.vaults, {
      credential,
      // A vault of one's own is not under the domain that its challenge names.
      verifyChallenge: policy.cloud !== "custom",
      learn: scrubber.learn,
    }),
    groups: createContainerGroups({
      credential,
      endpoint: cloud.resourceManager,
      scope: cloud.managementScope,
    }),
    providers: createProviders({ ...cloud, name: policy.cloud }, credential, scrubber),
  };
  return { config, policy, log, scrubber, cloud, credential, ports };
}

function createProviders(
  cloud: CloudEndpoints & { readonly name: CloudName },
  credential: ManagedIdentity,
  { learn }: Scrubber,
): Providers {
  const token = async (scope: string, signal?: AbortSignal) =>
    (await credential.getToken(scope, signal ? { abortSignal: signal } : {})).token;
  return {
    postgres: createPostgres({ token: (signal) => token(cloud.databaseScope, signal) }),
    mariadb: createMariaDb({ token: (signal) => token(cloud.databaseScope, signal) }),
    http: createHttpEndpoint({ token: (audience, signal) => token(`${audience}/.default`, signal) }),
    azureKeys: createAzureKeys({
      resourceManager: createResourceManager({
        credential,
        clock,
        endpoint: cloud.resourceManager,
        scope: cloud.managementScope,
      }),
      cloud: cloud.name,
      learn,
    }),
    graph: createGraph({ ...cloud, scope: cloud.graphScope, credential, learn }),
  };
}

/** @throws Fault `invalid-config` if the file cannot be read, `invalid-policy` with every problem and its line */
export async function readPolicy(
  file: string,
  vaultUrls: ReadonlyMap<string, string> | undefined,
): Promise<Policy> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Fault("invalid-config", `the policy file ${file} cannot be read`, { cause });
  });
  return loadPolicy(text, { file, rotators, ...(vaultUrls && { vaultUrls }) });
}

export function openRedis({ config, credential, log }: Base): RedisConnections {
  const { tls, host, port } = config.redis;
  return connectRedis({
    url: `${tls ? "rediss" : "redis"}://${host}:${port}`,
    getToken: () => credential.getToken(redisScope),
    log,
    clock,
  });
}
