import { randomUUID } from "node:crypto";
import { toFault } from "../../src/errors.ts";
import type { Clock } from "../../src/clock.ts";
import type { Enqueue, JobContext, JobDefinition, JobDefinitions, Stage } from "../../src/queue/contracts.ts";
import { fateOf, usualBackoff } from "../../src/queue/fate.ts";
import { cutOff, type Pass, type Process } from "./process.ts";
import type { Fate, Job, Redis } from "./queue.ts";

export interface JobRunner {
  readonly process: Process;
  readonly redis: Redis;
  readonly clock: Clock;
  readonly pass: Pass;
  readonly jobs: JobDefinitions;
}

/** One at a time in the whole fleet, as in `src/queue/runtime.ts`. */
const singles: ReadonlySet<Stage> = new Set(["sweep-vaults", "roll-dependents"]);

export function enqueueOf({ process, redis, pass }: Omit<JobRunner, "jobs">): Enqueue {
  return (stage, data, options) =>
    pass(
      process,
      `queue add ${stage}`,
      () => {
        process.queued += 1;
        return redis.add(stage, data, options);
      },
      cutOff.port,
    );
}

/** One run of a job: taken, run with the context that `src/queue` would give it, settled by the same fates. */
export async function runNextJob(runner: JobRunner): Promise<void> {
  const { process, redis, pass, jobs } = runner;
  const owner = `${process.id} ${randomUUID()}`;
  // A worker that is cut off while it takes a job does not have it; the job stalls and comes back.
  const job = await pass(process, "queue take", () => redis.take(owner), cutOff.port).catch(() => undefined);
  if (!job) return redis.abandon(owner);
  const fate = await ended(runner, jobs[job.stage], job, owner);
  const settle = () => redis.settle(job, owner, fate);
  await pass(process, `queue settle ${job.stage}`, settle, cutOff.port).catch(() => {});
}

async function ended<S extends Stage>(
  runner: JobRunner,
  definition: JobDefinition<S>,
  job: Job,
  owner: string,
): Promise<Fate> {
  const { clock } = runner;
  try {
    const context = contextOf(runner, job, owner);
    const data = definition.data.parse(job.data);
    const run = () => definition.run(data, context);
    const outcome = await (singles.has(job.stage) ? context.withLock(`stage:${job.stage}`, run) : run());
    if ("done" in outcome) return { kind: "done", text: outcome.done };
    return { kind: "requeue-after", at: outcome.requeueAfter, costs: false };
  } catch (error) {
    const fault = toFault(error);
    const now = clock.now();
    const fate = fateOf(fault, {
      now,
      since: job.addedAt,
      attempt: job.attemptsMade + 1,
      attempts: definition.attempts,
      aborted: undefined,
    });
    if (fate.kind === "requeue-after") return { kind: "requeue-after", at: fate.at, costs: false };
    if (fate.kind === "dead-letter") return { kind: "dead", text: `${fault.code}: ${fault.message}` };
    // Without the jitter: the same schedule shall give the same run.
    const pause = Math.min(usualBackoff.first * 2 ** job.attemptsMade, usualBackoff.longest);
    return { kind: "requeue-after", at: now + pause, costs: true };
  }
}

function contextOf(runner: JobRunner, job: Job, owner: string): JobContext {
  const { process, redis, pass } = runner;
  const { signal } = new AbortController();
  const call = <T>(what: string, effect: () => T) => pass(process, `queue ${what}`, effect, cutOff.port);
  return {
    jobId: job.id,
    attempt: job.attemptsMade + 1,
    signal,
    enqueue: enqueueOf(runner),
    // Hints: what cannot be stored is not worth a failure.
    progress: ({ step }) => call(`progress ${step}`, () => {}).catch(() => {}),
    remember: (hints) =>
      call("remember", () => {
        Object.assign(job.data, hints);
      }).catch(() => {}),
    async withLock(key, work) {
      const holder = `${owner} ${randomUUID()}`;
      try {
        await call("lock", () => redis.lock(key, holder));
        return await work(signal);
      } finally {
        // What it cannot give back runs out.
        redis.abandon(holder);
        await call("unlock", () => redis.unlock(key, holder)).catch(() => {});
      }
    },
  };
}
