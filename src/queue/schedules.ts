import type { Queue } from "bullmq";
import type { Clock, Millis } from "../clock.ts";
import { toFault } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Policy } from "../policy/policy.ts";
import type { Enqueue, StageInput } from "./contracts.ts";
import { jobOptions, openQueues } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";
import type { QueueTelemetry } from "./telemetry.ts";

export interface ScheduleParts {
  readonly redis: RedisConnections;
  readonly policy: Pick<Policy, "digest" | "sweep">;
  readonly enqueue: Enqueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry?: QueueTelemetry | undefined;
  /** How often to check that the schedules are still there. */
  readonly every?: Millis;
}

export interface Schedules {
  close(): Promise<void>;
}

/**
 * Keeps the sweeps scheduled and asks for one at once. Redis forgets schedules when it is flushed or lost, so each
 * worker puts them back from its own timer.
 */
export function keepSchedules(parts: ScheduleParts): Schedules {
  const { redis, policy, enqueue, clock, log, every = 60_000 } = parts;
  const stopped = new AbortController();
  const queues = openQueues(redis, parts.telemetry);
  const keep = async () => {
    const queue = await queues.get("sweep-vaults");
    await ensure(queue, clock, "sweep", policy.sweep.every, { v: 1, policy: policy.digest, deep: false });
    await ensure(queue, clock, "deep-sweep", policy.sweep.deep, { v: 1, policy: policy.digest, deep: true });
  };
  const sweepNow = () => enqueue("sweep-vaults", { deep: false }, { dedupe: "sweep" });
  const loop = async () => {
    let swept = false;
    while (!stopped.signal.aborted) {
      try {
        if (!swept) await sweepNow();
        swept = true;
        await keep();
      } catch (error) {
        log.warn({ code: toFault(error).code }, "the schedules cannot be checked; trying again");
      }
      await clock.sleep(every, stopped.signal).catch(() => {});
    }
  };
  const running = loop();
  return {
    async close() {
      stopped.abort();
      await running;
      await queues.close();
    },
  };
}

type Template = StageInput<"sweep-vaults"> & { readonly v: 1; readonly policy: string };

/** BullMQ hands one run's trace on to the next, for ever; a sweep that is due begins a trace of its own. */
const opts = { ...jobOptions, telemetry: { omitContext: true } };

async function ensure(queue: Queue, clock: Clock, id: string, every: Millis, data: Template): Promise<void> {
  const known = await queue.getJobScheduler(id);
  // A schedule lives by its next job: whoever runs that one adds the one after.
  if (known?.every === every && (await queue.getJob(`repeat:${id}:${known.next}`))) return;
  const startDate = clock.now() + every;
  await queue.upsertJobScheduler(id, { every, startDate }, { name: "sweep-vaults", data, opts });
}
