import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { Fault } from "../errors.ts";
import { type Enqueue, stages } from "./contracts.ts";
import { prefix, throwAwayFault } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";

/** A job that has ended for good without success. */
export const DeadLetter = z.strictObject({
  id: z.string(),
  stage: z.enum(stages),
  jobId: z.string(),
  /** What the job was about, without its envelope; absent if it did not fit the schema. */
  data: z.record(z.string(), z.unknown()).optional(),
  code: z.string(),
  message: z.string(),
  /** ms since the epoch */
  at: z.number(),
  attempts: z.number(),
});

export type DeadLetter = z.infer<typeof DeadLetter>;

export interface DeadLetters {
  /** Newest first; at most 1000 are kept. @throws Fault `unavailable` */
  list(): Promise<DeadLetter[]>;
  /**
   * Queues it again as a new job and takes it off the list.
   *
   * @returns the new job's id
   * @throws Fault `not-found`, `not-supported` if its data was not kept, `unavailable`
   */
  replay(id: string, enqueue: Enqueue): Promise<string>;
}

const key = `${prefix}:dead-letters`;
const most = 1000;

export function deadLetters(redis: RedisConnections): DeadLetters {
  const entries = () => redis.producer().lrange(key, 0, -1).catch(throwAwayFault);
  return {
    async list() {
      return (await entries()).flatMap((entry) => read(entry) ?? []);
    },
    async replay(id, enqueue) {
      const entry = (await entries()).find((text) => read(text)?.id === id);
      const letter = entry === undefined ? undefined : read(entry);
      if (entry === undefined || letter === undefined)
        throw new Fault("not-found", `there is no dead letter ${id}`);
      if (letter.data === undefined)
        throw new Fault(
          "not-supported",
          `dead letter ${id} never was a readable job: there is nothing to replay`,
        );
      // First queued, then removed: if we die in between it runs twice, which is harmless.
      const jobId = await enqueue(letter.stage, letter.data);
      await redis.producer().lrem(key, 1, entry).catch(throwAwayFault);
      return jobId;
    },
  };
}

/**
 * Waits until Redis has it: a job must not end for good without a trace.
 *
 * @throws Fault `unavailable` if Redis refuses it
 */
export async function addDeadLetter(
  redis: RedisConnections,
  clock: Clock,
  letter: Omit<DeadLetter, "id" | "at">,
): Promise<void> {
  const entry: DeadLetter = { id: randomUUID(), at: clock.now(), ...letter };
  const list = redis
    .worker()
    .multi()
    .lpush(key, JSON.stringify(entry))
    .ltrim(key, 0, most - 1);
  const results = await list.exec().catch(throwAwayFault);
  for (const [error] of results ?? []) if (error) throwAwayFault(error);
}

function read(entry: string): DeadLetter | undefined {
  try {
    return DeadLetter.parse(JSON.parse(entry));
  } catch {
    return undefined;
  }
}
