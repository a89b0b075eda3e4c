import { Queue } from "bullmq";
import type { Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Stage } from "./contracts.ts";
import { errorCode, type RedisConnections } from "./redis.ts";
import type { QueueTelemetry } from "./telemetry.ts";

/** All our keys in Redis begin with this. */
export const prefix = "keyturn";

/** What watchers may still want to read of a stage's events. */
const keptEvents = 2000;

/** How long a caller waits for Redis to come back before it gets the fault that it is away. */
const patience: Millis = 1000;

/** Options of every job, however it was queued. */
export const jobOptions = {
  // The stage's own `attempts` decides, when the job runs; the sender does not know it.
  attempts: Number.MAX_SAFE_INTEGER,
  backoff: { type: "stage" },
  // A record that stays would swallow later work, and what is final is a dead letter.
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: 0,
} as const;

/** The stages' queues, seen by those who add to them. */
export interface Queues {
  /** @throws Fault `unavailable` if Redis is away */
  get(stage: Stage): Promise<Queue>;
  close(): Promise<void>;
}

export function openQueues(redis: RedisConnections, telemetry?: QueueTelemetry): Queues {
  const open = new Map<Stage, Promise<Queue>>();
  return {
    async get(stage) {
      await redis.whenReady(patience);
      let queue = open.get(stage);
      if (queue === undefined) {
        queue = openQueue(stage, redis, telemetry);
        open.set(stage, queue);
        // A queue whose first connection failed stays broken: the next caller gets another one.
        queue.catch(() => open.delete(stage));
      }
      return queue;
    },
    async close() {
      const queues = await Promise.allSettled(open.values());
      for (const queue of queues) if (queue.status === "fulfilled") await queue.value.close();
    },
  };
}

async function openQueue(stage: Stage, redis: RedisConnections, telemetry?: QueueTelemetry): Promise<Queue> {
  const queue = new Queue(stage, {
    connection: redis.producer(),
    prefix,
    streams: { events: { maxLen: keptEvents } },
    ...(telemetry ? { telemetry } : {}),
  });
  queue.on("error", () => {});
  try {
    await queue.waitUntilReady();
    return queue;
  } catch (error) {
    await queue.close().catch(() => {});
    throw awayFault(error);
  }
}

/** Redis did not answer, or said no. Its error is left behind: it quotes the command. */
export function awayFault(error: unknown): Fault {
  return error instanceof Fault
    ? error
    : new Fault("unavailable", `Redis did not take it (${errorCode(error)})`);
}

/** For `catch` of a promise. @throws Fault as `awayFault` says */
export function throwAwayFault(error: unknown): never {
  throw awayFault(error);
}
