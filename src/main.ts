import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { createRestartGroup } from "../jobs/restart-group.ts";
import { createRollDependents } from "../jobs/roll-dependents.ts";
import { createRotateSecret } from "../jobs/rotate-secret.ts";
import { createSweepVaults } from "../jobs/sweep-vaults.ts";
import { vaultScope } from "./azure/clouds.ts";
import type { ManagedIdentity } from "./azure/managed-identity.ts";
import type { MessageSource } from "./azure/service-bus/message-source.ts";
import { createMessageSource } from "./azure/service-bus/service-bus.ts";
import { systemClock as clock } from "./clock.ts";
import type { CommandLine, Session } from "./cli/dependencies.ts";
import { openQueuesLazily } from "./cli/lazy-queues.ts";
import { runCommandLine } from "./cli/program.ts";
import { type Base, openBase, openRedis, readPolicy } from "./compose.ts";
import { environment, readConfig, readVaultUrls, type WorkerConfig } from "./config/config.ts";
import { Fault, toFault } from "./errors.ts";
import { createIntake } from "./intake/receive.ts";
import { createLifecycle, type Opening, stopOnSignals } from "./lifecycle.ts";
import { createLog, type Log } from "./log.ts";
import { policyJsonSchema } from "./policy/schema.ts";
import { startProbes } from "./probes.ts";
import type { Enqueue, JobDefinitions } from "./queue/contracts.ts";
import { createEnqueue } from "./queue/enqueue.ts";
import type { RedisConnections } from "./queue/redis.ts";
import { announceReplica, listReplicas, type Replica } from "./queue/replicas.ts";
import { startRuntime } from "./queue/runtime.ts";
import { keepSchedules } from "./queue/schedules.ts";
import { safeTelemetry } from "./queue/telemetry.ts";
import { newestOf } from "./rotation/record/newest.ts";
import { vaultOf } from "./rotation/ports.ts";
import { type RotationPorts } from "./rotation/ports.ts";
import { statusOf } from "./rotation/status.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { createScrubber } from "./telemetry/scrubber.ts";
import { startTelemetry } from "./telemetry/start.ts";

const version = "0.1.0";

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
  const { config, policy, log, scrubber, credential } = base;
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
      // The probes answer at all: the event loop turns. What is away comes back without our being killed.
      alive: () => true,
      metricsHandler: telemetry.metricsHandler,
      clock,
      log,
    }),
  );
  const enqueue = openPipeline(base, redis, stack);
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

/** The queue with everything that serves it. */
function openPipeline(
  { policy, log, ports }: Base,
  redis: RedisConnections,
  stack: AsyncDisposableStack,
): Enqueue {
  const queueTelemetry = safeTelemetry({ tracerName: "keyturn", meterName: "keyturn", enableMetrics: true });
  const enqueuer = createEnqueue({ redis, policy: policy.digest, telemetry: queueTelemetry });
  stack.defer(() => enqueuer.close());
  const { enqueue } = enqueuer;
  const runtime = startRuntime({
    redis,
    jobs: createJobs(ports, log, redis),
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
  return enqueue;
}

function createJobs(ports: RotationPorts, log: Log, redis: RedisConnections): JobDefinitions {
  const isSame = ({ policy }: Replica) => policy === ports.policy.digest;
  const agreed = async () => (await listReplicas(redis)).every(isSame);
  return {
    "sweep-vaults": createSweepVaults({ ...ports, log }),
    "rotate-secret": createRotateSecret({ ...ports, log, agreed }),
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

/** What commands work with, on a person's machine or in the worker's container. */
async function openSession(interrupt: () => void): Promise<Session> {
  const scrubber = createScrubber({ clock });
  const config = readConfig(environment(), "client");
  const log = createLog("silent", undefined, scrubber.scrub);
  const base = await openBase(config, log, scrubber);
  const { policy, ports } = base;
  const queues = openQueuesLazily({ connect: () => openRedis(base), policy: policy.digest, clock });
  return {
    ...queues,
    policy,
    watch(signal) {
      // Only the first Ctrl-C: the second ends the process as usual.
      process.once("SIGINT", interrupt);
      return queues.watch(signal);
    },
    statusOf: (secret, signal) => statusOf(secret, ports, signal),
    latestVersion: async ({ vault, name, key }, signal) =>
      (await newestOf(name, vaultOf({ vault, key }, ports.vaults), signal))?.version,
  };
}

async function main(): Promise<number> {
  const interrupted = new AbortController();
  // `keyturn status | head`: who stops reading has seen enough.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const line: CommandLine = {
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    colour: process.stdout.isTTY && !environment().NO_COLOR,
    clock,
    interrupted: interrupted.signal,
    actor: environment().USER ?? hostname(),
    newRequestId: randomUUID,
    runWorker: work,
    openSession: () => openSession(() => interrupted.abort()),
    async checkPolicy(file) {
      const vaultUrls = readVaultUrls(environment());
      return readPolicy(file, vaultUrls);
    },
    policySchema: policyJsonSchema,
  };
  return runCommandLine(line, version, process.argv.slice(2));
}

process.exitCode = await main();
