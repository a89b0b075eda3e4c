import type { Job } from "bullmq";
import type { Clock, Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Enqueue, JobContext, JobDefinition, Stage, StageData } from "./contracts.ts";
import { describeIssues } from "./enqueue.ts";
import type { WithLock } from "./locks.ts";
import type { RedisConnections } from "./redis.ts";

/** What jobs share. */
export interface JobServices {
  readonly redis: RedisConnections;
  readonly clock: Clock;
  readonly log: Log;
  readonly enqueue: Enqueue;
  readonly withLock: WithLock;
}

/** What is left in Redis of a run that ended well. */
export interface JobResult {
  readonly done: string;
}

/** One run of a job, as BullMQ started it. */
export interface Run<S extends Stage> {
  readonly stage: JobDefinition<S>;
  readonly services: JobServices;
  readonly job: Job<unknown, JobResult>;
  readonly token: string;
  readonly signal: AbortSignal;
}

/** Reason of an abort when another worker may have the job by now. */
export const lockLost = "lock-lost";

/** Hints are not worth holding up a rotation for while Redis is away. */
const hintPatience: Millis = 1000;

export function createJobContext<S extends Stage>(run: Run<S>, data: StageData[S]): JobContext {
  const { job, services } = run;
  const { clock } = services;
  const signal = ownSignal(run.signal);
  let known = data;
  return {
    jobId: job.id ?? "",
    attempt: job.attemptsMade + 1,
    signal,
    enqueue: services.enqueue,
    progress: (progress) =>
      atMost(hintPatience, clock, () => job.updateProgress({ at: clock.now(), ...progress })),
    async remember(hints) {
      const parsed = run.stage.data.safeParse({ ...known, ...hints });
      if (!parsed.success) throw new Fault("invalid-job", describeIssues(parsed.error));
      known = parsed.data;
      await atMost(hintPatience, clock, () => job.updateData(parsed.data));
    },
    withLock: (key, work) => services.withLock(key, signal, work),
  };
}

/** Resolves when the hint is stored, cannot be, or takes too long. */
async function atMost(patience: Millis, clock: Clock, store: () => Promise<void>): Promise<void> {
  const stored = new AbortController();
  const storing = store()
    .catch(() => {})
    .finally(() => stored.abort());
  await Promise.race([storing, clock.sleep(patience, stored.signal).catch(() => {})]);
}

/** BullMQ aborts with a bare word; those who throw the reason on should throw a fault. */
function ownSignal(signal: AbortSignal): AbortSignal {
  const own = new AbortController();
  const abort = () => {
    const why = signal.reason === lockLost ? "the job's lock was lost" : "the worker is stopping";
    own.abort(new Fault("cancelled", why));
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return own.signal;
}
