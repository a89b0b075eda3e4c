import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { createRestartGroup } from "../jobs/restart-group.ts";
import { createRollDependents } from "../jobs/roll-dependents.ts";
import { createRotateSecret } from "../jobs/rotate-secret.ts";
import { createSweepVaults } from "../jobs/sweep-vaults.ts";
import { type CloudEndpoints, endpointsOf, redisScope, vaultScope } from "./azure/clouds.ts";
import { createContainerGroups } from "./azure/container-instances.ts";
import { createVaults } from "./azure/key-vault.ts";
import { createCredential, type ManagedIdentity } from "./azure/managed-identity.ts";
import type { MessageSource } from "./azure/message-source.ts";
import { createMessageSource } from "./azure/service-bus.ts";
import { systemClock as clock } from "./clock.ts";
import { checkCloud, type ClientConfig, environment, readConfig, type WorkerConfig } from "./config.ts";
import { Fault, toFault } from "./errors.ts";
import { createIntake } from "./intake/receive.ts";
import { createLifecycle, type Opening, stopOnSignals } from "./lifecycle.ts";
import { createLog, type Log } from "./log.ts";
import { loadPolicy } from "./policy/load.ts";
import type { Policy } from "./policy/policy.ts";
import { startProbes } from "./probes.ts";
import { createPostgres } from "./providers/postgres.ts";
import type { JobDefinitions } from "./queue/contracts.ts";
import { createEnqueue } from "./queue/enqueue.ts";
import { connectRedis, type RedisConnections } from "./queue/redis.ts";
import { announceReplica } from "./queue/replicas.ts";
import { startRuntime } from "./queue/runtime.ts";
import { keepSchedules } from "./queue/schedules.ts";
import { safeTelemetry } from "./queue/telemetry.ts";
import { rotators } from "./rotators/index.ts";
import type { RotationPorts } from "./rotation/observe.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { createScrubber, type Scrubber } from "./telemetry/scrubber.ts";
import { startTelemetry } from "./telemetry/start.ts";

const version = "0.1.0";

/** What the worker and the commands have in common: the policy, the identity, and the systems behind their ports. */
interface Base {
  readonly config: ClientConfig;
  readonly policy: Policy;
  readonly log: Log;
  readonly scrubber: Scrubber;
  readonly cloud: CloudEndpoints;
  readonly credential: ManagedIdentity;
  readonly ports: RotationPorts;
}

async function openBase<C extends ClientConfig>(
  config: C,
  log: Log,
  scrubber: Scrubber,
): Promise<Base & { config: C }> {
  const policy = await readPolicy(config);
  const endpoints = checkCloud(config, policy.cloud);
  const cloud = endpointsOf(policy.cloud, endpoints?.resourceManager);
  const credential = createCredential({ clientId: config.clientId, clock });
  const token = async (scope: string, signal?: AbortSignal) =>
    (await credential.getToken(scope, signal ? { abortSignal: signal } : {})).token;
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
    providers: { postgres: createPostgres({ token: (signal) => token(cloud.databaseScope, signal) }) },
  };
  return { config, policy, log, scrubber, cloud, credential, ports };
}

/** @throws Fault `invalid-config` if the file cannot be read, `invalid-policy` with every problem and its line */
async function readPolicy({ policyFile, endpoints }: ClientConfig): Promise<Policy> {
  const text = await readFile(policyFile, "utf8").catch((cause: unknown) => {
    throw new Fault("invalid-config", `KEYTURN_POLICY: ${policyFile} cannot be read`, { cause });
  });
  return loadPolicy(text, {
    file: policyFile,
    rotators,
    ...(endpoints.vaults && { vaultUrls: endpoints.vaults }),
  });
}

function openRedis({ config, credential, log }: Base): RedisConnections {
  const { tls, host, port } = config.redis;
  return connectRedis({
    url: `${tls ? "rediss" : "redis"}://${host}:${port}`,
    getToken: () => credential.getToken(redisScope),
    log,
    clock,
  });
}

/** The worker's life: opens in order, waits for the end, closes in reverse. Resolves with the exit code. */
async function work(): Promise<number> {
  const scrubber = createScrubber({ clock });
  const config = readConfig(environment(), "worker");
  const log = createLog(config.logLevel, undefined, scrubber.scrub);
  const base = await openBase(config, log, scrubber);
  const lifecycle = createLifecycle({ clock, log, drain: base.policy.worker.drain });
  using _signals = stopOnSignals(lifecycle, process);
  return (await lifecycle.run((opening) => openWorker(base, opening))) === "stopped" ? 0 : 1;
}

async function openWorker(
  base: Base & { config: WorkerConfig },
  { stack, stopping }: Opening,
): Promise<void> {
  const { config, policy, log, scrubber, credential, ports } = base;
  // Telemetry first: what opens a connection later belongs to no trace.
  const telemetry = stack.use(startTelemetry({ environment: config.otel, scrubber, clock, log }));
  const metrics = createMetrics(telemetry.meter, clock);
  const redis = openRedis(base);
  stack.defer(() => redis.close());
  const source = createMessageSource({
    host: config.serviceBus.namespace,
    queue: config.serviceBus.queue,
    credential,
    clock,
    log,
  });
  stack.use(
    await startProbes({
      ...config.probes,
      checks: readiness(credential, redis, source),
      alive: () => !stopping.aborted || true,
      metricsHandler: telemetry.metricsHandler,
      clock,
      log,
    }),
  );
  const queueTelemetry = safeTelemetry({ tracerName: "keyturn" });
  const { enqueue, close } = createEnqueue({ redis, policy: policy.digest, telemetry: queueTelemetry });
  stack.defer(close);
  const runtime = startRuntime({
    redis,
    jobs: createJobs(ports, log),
    worker: policy.worker,
    clock,
    log,
    enqueue,
    telemetry: queueTelemetry,
  });
  stack.defer(() => runtime.drain(policy.worker.drain / 2));
  const schedules = keepSchedules({ redis, policy, enqueue, clock, log, telemetry: queueTelemetry });
  stack.defer(() => schedules.close());
  const replica = announceReplica({
    redis,
    clock,
    id: `${hostname()}-${randomUUID()}`,
    policy: policy.digest,
  });
  stack.defer(() => replica.close());
  source.start(
    createIntake({
      policy,
      enqueue,
      clock,
      log,
      onOutcome: (outcome, code) => metrics.messageSettled(code ?? outcome),
    }),
  );
  stack.defer(() => source.stop());
  // On ACI the identity's endpoint appears some time after the container. Everything above waits for it by itself.
  credential.warmUp(vaultScope, stopping).catch((error: unknown) => {
    if (!stopping.aborted) log.error({ code: toFault(error).code }, "the managed identity has no token");
  });
  log.info({ version, vaults: policy.vaults.length, secrets: policy.secrets.length }, "keyturn is up");
}

function createJobs(ports: RotationPorts, log: Log): JobDefinitions {
  return {
    "sweep-vaults": createSweepVaults({ ...ports, log }),
    "rotate-secret": createRotateSecret({ ...ports, log }),
    "roll-dependents": createRollDependents({ ...ports, log }),
    "restart-group": createRestartGroup({ ...ports, log }),
  };
}

/** What has to be there before the worker can do anything; told by code, on `/readyz`. */
function readiness(credential: ManagedIdentity, redis: RedisConnections, source: MessageSource) {
  return {
    identity() {
      if (!credential.hasToken()) throw new Fault("unauthenticated", "the managed identity has no token yet");
    },
    redis() {
      if (redis.state() !== "ready")
        throw new Fault("unavailable", `Redis: ${redis.lastError() ?? "connecting"}`);
    },
    serviceBus() {
      const { status, code } = source.state();
      if (status !== "receiving") throw new Fault(code ?? "unavailable", `Service Bus: ${status}`);
    },
  };
}

process.exitCode = await work();
