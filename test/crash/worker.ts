import { createContainerGroups } from "../../src/azure/container-instances.ts";
import { createVaults } from "../../src/azure/key-vault.ts";
import type { HandleMessage } from "../../src/azure/service-bus/message-source.ts";
import { createIntake } from "../../src/intake/receive.ts";
import type { Log } from "../../src/log.ts";
import type { Policy, SecretPolicy } from "../../src/policy/policy.ts";
import type { JobDefinitions } from "../../src/queue/contracts.ts";
import type { RotationPorts } from "../../src/rotation/ports.ts";
import { createRestartGroup } from "../../jobs/restart-group.ts";
import { createRollDependents } from "../../jobs/roll-dependents.ts";
import { createRotateSecret } from "../../jobs/rotate-secret.ts";
import { createSweepVaults } from "../../jobs/sweep-vaults.ts";
import { inMemoryHttpClient } from "../local-azure/in-memory-client.ts";
import type { HttpService } from "../local-azure/state.ts";
import { providersWith } from "../support/providers.ts";
import type { Ground } from "./ground.ts";
import { cutOff, type Pass, type Process, throughPass } from "./process.ts";
import type { Redis } from "./queue.ts";
import { enqueueOf, type JobRunner } from "./run-job.ts";
import type { Link } from "./scenarios/scenario.ts";

export interface Worker extends JobRunner {
  readonly handle: HandleMessage;
  readonly ports: RotationPorts;
}

/** One process of keyturn, composed as `src/main.ts` does it, from the real parts on the ground in memory. */
export function createWorker(ground: Ground, redis: Redis, process: Process, pass: Pass, log: Log): Worker {
  const { clock, policy: shared } = ground;
  const policy: Policy = { ...shared, secrets: shared.secrets.map((secret) => witness(secret, process)) };
  const link = linkOf(ground, process, pass);
  const { client } = link;
  const ports: RotationPorts = {
    policy,
    clock,
    vaults: createVaults(policy.vaults, { credential: link.credential, verifyChallenge: true, client }),
    groups: createContainerGroups({
      credential: link.credential,
      endpoint: `https://${ground.armHost}`,
      scope: `https://${ground.armHost}/.default`,
      client,
    }),
    providers: providersWith(ground.provider.connect(link)),
  };
  const jobs: JobDefinitions = {
    "sweep-vaults": createSweepVaults({ ...ports, log }),
    "rotate-secret": createRotateSecret({ ...ports, log, agreed: async () => true }),
    "roll-dependents": createRollDependents({ ...ports, log }),
    "restart-group": createRestartGroup({ ...ports, log }),
  };
  const runner = { process, redis, clock, pass };
  return { ...runner, jobs, ports, handle: createIntake({ policy, enqueue: enqueueOf(runner), clock, log }) };
}

/** Remembers what a rotator has proven by use, for the monitor. */
function witness(secret: SecretPolicy, process: Process): SecretPolicy {
  const { rotator } = secret;
  return {
    ...secret,
    rotator: {
      ...rotator,
      async verify(credential, context) {
        await rotator.verify(credential, context);
        process.verified.add(credential.value.reveal());
      },
    },
  };
}

function linkOf(ground: Ground, process: Process, pass: Pass): Link {
  const { tokens, identity } = ground;
  return {
    port: (name, port) => throughPass(port, name, process, pass),
    client: { httpClient: inMemoryHttpClient(counted(ground.services, process, pass)) },
    clock: ground.clock,
    credential: {
      // The SDKs compare with the real time; neither that nor the virtual one gets near.
      async getToken(scopes) {
        const audience = ([scopes].flat()[0] ?? "").replace(/\/\.default$/, "");
        const { token } = await tokens.issue(identity, audience);
        return { token, expiresOnTimestamp: Date.UTC(2100) };
      },
    },
  };
}

function counted(
  routes: Readonly<Record<string, HttpService>>,
  process: Process,
  pass: Pass,
): Map<string, HttpService> {
  const through = (service: HttpService): HttpService => {
    return (request) => {
      // Asking Key Vault for its challenge has no effect and carries nothing.
      const asksOnly = !request.headers.has("authorization") && request.url.includes(".vault.azure.net/");
      if (asksOnly) return service(request);
      return pass(process, labelOf(request), () => service(request), cutOff.http);
    };
  };
  return new Map(Object.entries(routes).map(([host, service]) => [host, through(service)]));
}

function labelOf({ method, url }: Request): string {
  const { pathname, host } = new URL(url);
  const path = pathname.replaceAll(/[0-9a-f]{32}/g, "<version>").replace(/^.*containerGroups/, "");
  return `${method} ${host.split(".")[0]}${path}`;
}
