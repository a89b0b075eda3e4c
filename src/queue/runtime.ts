import { WaitingError, Worker } from "bullmq";
import type { Clock, Millis } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/policy.ts";
import type { Enqueue, JobDefinition, JobDefinitions, Stage } from "./contracts.ts";
import { type JobResult, type JobServices, lockLost } from "./job-context.ts";
import { createLocks } from "./locks.ts";
import { prefix } from "./queues.ts";
import { type RedisConnections, errorCode } from "./redis.ts";
import { requeue, runJob } from "./run-job.ts";
import type { QueueTelemetry } from "./telemetry.ts";
import { type Backoff, backoffDelay, usualBackoff } from "./fate.ts";

export interface RuntimeParts {
  readonly redis: RedisConnections;
  /** Stages that are left out are left to other processes. */
  readonly jobs: Partial<JobDefinitions>;
  readonly worker: Pick<Policy["worker"], "lock" | "stalledCheck" | "concurrency">;
  readonly clock: Clock;
  readonly log: Log;
  readonly enqueue: Enqueue;
  readonly telemetry?: QueueTelemetry | undefined;
  readonly backoff?: Backoff;
}

/** The workers of all stages in this process. */
export interface Runtime {
  readonly state: "running" | "paused" | "draining" | "closed";
  /** Jobs at work in this process. */
  readonly active: number;
  /** Takes no new jobs; running ones go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Aborts a running job's signal; it is put back. `false` if it does not run here. */
  cancel(stage: Stage, jobId: string): boolean;
  /**
   * Ends for good: takes no new jobs, gives running ones `grace`, then aborts them, which puts them back without a
   * cost. One that does not heed its signal is abandoned after another 3 s; it stalls and another worker takes it.
   */
  drain(grace: Millis): Promise<void>;
  /** Drains without grace. */
  close(): Promise<void>;
}

/** How long an aborted job may take to end. */
const lastWords: Millis = 3000;

/** Starts all workers. Redis need not be there yet: they begin when it is, and go on when it comes back. */
export function startRuntime(parts: RuntimeParts): Runtime {
  const { redis, clock, log, enqueue } = parts;
  const services: JobServices = {
    redis,
    clock,
    log,
    enqueue,
    hold: createLocks(redis, clock, parts.worker.lock),
  };
  const running = new Map<string, number>();
  const workers = new Map<Stage, Worker>();
  const start = <S extends Stage>(job: JobDefinition<S> | undefined) => {
    if (job) workers.set(job.stage, startWorker(job, services, parts, running));
  };
  start(parts.jobs["sweep-vaults"]);
  start(parts.jobs["rotate-secret"]);
  start(parts.jobs["roll-dependents"]);
  start(parts.jobs["restart-group"]);

  const all = [...workers.values()];
  const active = () => [...running.values()].reduce((sum, count) => sum + count, 0);
  let state: Runtime["state"] = "running";
  let closed: Promise<void> | undefined;
  const end = async (grace: Millis) => {
    state = "draining";
    await stop(all, active, clock, grace);
    state = "closed";
  };
  return {
    get state() {
      return state;
    },
    get active() {
      return active();
    },
    async pause() {
      if (state === "running") state = "paused";
      await Promise.all(all.map((worker) => worker.pause(true)));
    },
    async resume() {
      if (state !== "paused") return;
      state = "running";
      await Promise.all(all.map((worker) => worker.resume()));
    },
    cancel: (stage, jobId) => workers.get(stage)?.cancelJob(jobId, "cancelled") ?? false,
    drain: (grace) => (closed ??= end(grace)),
    close: () => (closed ??= end(0)),
  };
}

/** One at a time in the whole fleet, by a lock of its own: BullMQ's setting for it would not survive a flush. */
const singles: ReadonlySet<Stage> = new Set(["sweep-vaults", "roll-dependents"]);

function startWorker<S extends Stage>(
  job: JobDefinition<S>,
  services: JobServices,
  { redis, worker: limits, telemetry, log, backoff = usualBackoff }: RuntimeParts,
  running: Map<string, number>,
): Worker {
  const single = singles.has(job.stage);
  const stage = single ? alone(job) : job;
  const count = (by: number) => running.set(job.stage, (running.get(job.stage) ?? 0) + by);
  const worker = new Worker<unknown, JobResult>(
    job.stage,
    // BullMQ counts the parameters and hands out a signal only to functions with three, none of them with a default.
    async (bullJob, token, signal) => {
      if (token === undefined || signal === undefined) throw new WaitingError();
      // A worker that was waiting for a job when it was paused still takes the next one.
      if (worker.isPaused()) return requeue(bullJob, token);
      count(1);
      return runJob(stage, services, bullJob, token, signal).finally(() => count(-1));
    },
    {
      connection: redis.worker(),
      prefix,
      concurrency: single ? 1 : limits.concurrency,
      lockDuration: limits.lock,
      stalledInterval: limits.stalledCheck,
      // By default the second death of a worker fails the job for good. Poison is bounded by the rotation's own counter.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: 1000,
      settings: { backoffStrategy: (attemptsMade) => backoffDelay(attemptsMade, backoff) },
      ...(telemetry ? { telemetry } : {}),
    },
  );
  worker.on("lockRenewalFailed", (jobIds) => {
    for (const jobId of jobIds) worker.cancelJob(jobId, lockLost);
  });
  // Connections are reported by their owner; what is left is BullMQ's own bookkeeping after a flush or a lost lock.
  worker.on("error", (error) =>
    log.debug({ stage: job.stage, code: errorCode(error) }, "the queue had an error"),
  );
  return worker;
}

function alone<S extends Stage>(job: JobDefinition<S>): JobDefinition<S> {
  return {
    ...job,
    run: (data, context) =>
      context.withLock(`stage:${job.stage}`, (signal) => job.run(data, { ...context, signal })),
  };
}

async function stop(workers: Worker[], active: () => number, clock: Clock, grace: Millis): Promise<void> {
  await Promise.all(workers.map((worker) => worker.pause(true)));
  await idle(active, clock, grace);
  for (const worker of workers) worker.cancelAllJobs("stopping");
  await idle(active, clock, lastWords);
  const closing = Promise.allSettled(workers.map((worker) => worker.close(active() > 0)));
  // With Redis away there may be no orderly end; who owns the connections then cuts them.
  const closed = new AbortController();
  await Promise.race([
    closing.finally(() => closed.abort()),
    clock.sleep(lastWords, closed.signal).catch(() => {}),
  ]);
}

/** Waits until no job runs here, at most for `patience`. */
async function idle(active: () => number, clock: Clock, patience: Millis): Promise<void> {
  const until = clock.now() + patience;
  while (active() > 0 && clock.now() < until) await clock.sleep(50);
}
