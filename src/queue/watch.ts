import { QueueEvents } from "bullmq";
import { EventEmitter, on } from "node:events";
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { type FaultCode, isFaultCode } from "../errors.ts";
import { type Progress, type Stage, stages } from "./contracts.ts";
import { readFailure } from "./failure.ts";
import { awayFault, prefix } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";

const ProgressData: z.ZodType<Progress> = z.strictObject({
  at: z.number(),
  step: z.string(),
  text: z.string(),
  secret: z.string().optional(),
  rotation: z.string().optional(),
  group: z.string().optional(),
  until: z.number().optional(),
  code: z.custom<FaultCode>((code) => typeof code === "string" && isFaultCode(code)).optional(),
});

const Completed = z.object({ done: z.string() });

/** What a job of some stage told. Steps `completed` and `failed` are added when the job is over. */
export type WatchedProgress = Progress & { readonly stage: Stage; readonly jobId: string };

export interface Watch extends AsyncIterable<WatchedProgress> {
  /** From here on nothing is missed. @throws Fault `unavailable` if Redis is away */
  readonly ready: Promise<void>;
}

export interface WatchOptions {
  readonly stages?: readonly Stage[];
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** Follows the jobs of all workers; survives a Redis that goes and comes back. */
export function watchProgress(redis: RedisConnections, options: WatchOptions): Watch {
  const { signal, clock = systemClock } = options;
  const feed = new EventEmitter();
  // Listens from now on, so that what comes before the first `next()` is kept.
  const events = on(feed, "progress", { signal });
  const follow = async (stage: Stage) => {
    const tell = (jobId: string, progress: Progress) => feed.emit("progress", { ...progress, stage, jobId });
    const source = new QueueEvents(stage, {
      connection: redis.worker(),
      prefix,
      lastEventId: await lastEventId(redis, stage),
    });
    source.on("error", () => {});
    source.on("progress", ({ jobId, data }) => {
      const progress = ProgressData.safeParse(data);
      if (progress.success) tell(jobId, progress.data);
    });
    source.on("completed", ({ jobId, returnvalue }) => {
      const text = Completed.safeParse(returnvalue).data?.done ?? "";
      tell(jobId, { at: clock.now(), step: "completed", text });
    });
    source.on("failed", ({ jobId, failedReason }) => {
      const { secrets, ...failure } = readFailure(failedReason);
      const failed = { at: clock.now(), step: "failed", ...failure };
      if (secrets.length === 0) tell(jobId, failed);
      for (const secret of secrets) tell(jobId, { ...failed, secret });
    });
    const close = () => {
      source.close().catch(() => {});
    };
    if (signal.aborted) close();
    else signal.addEventListener("abort", close, { once: true });
  };
  const followAll = async () => {
    await Promise.all((options.stages ?? stages).map(follow));
  };
  const ready = followAll();
  // Who does not ask for it shall not be killed by its failing.
  ready.catch(() => {});
  return { ready, [Symbol.asyncIterator]: () => untilAborted(events, signal) };
}

/** Reading begins behind this one, however long the connecting takes. */
async function lastEventId(redis: RedisConnections, stage: Stage): Promise<string> {
  await redis.whenReady(5000);
  try {
    const [last] = await redis.producer().xrevrange(`${prefix}:${stage}:events`, "+", "-", "COUNT", 1);
    return last?.[0] ?? "0";
  } catch (error) {
    throw awayFault(error);
  }
}

async function* untilAborted(
  events: AsyncIterable<WatchedProgress[]>,
  signal: AbortSignal,
): AsyncGenerator<WatchedProgress> {
  try {
    for await (const batch of events) yield* batch;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
