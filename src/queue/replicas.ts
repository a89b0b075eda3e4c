import { z } from "zod";
import type { Clock, Millis } from "../clock.ts";
import { awayFault, prefix } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";

/** A worker that was alive a moment ago. */
export const Replica = z.strictObject({ id: z.string(), policy: z.string() });

export type Replica = z.infer<typeof Replica>;

export interface ReplicaParts {
  readonly redis: RedisConnections;
  readonly clock: Clock;
  /** Unique to this process. */
  readonly id: string;
  /** Digest of its policy. */
  readonly policy: string;
  readonly every?: Millis;
}

export interface Announcement {
  /** Takes the announcement back. */
  close(): Promise<void>;
}

const keys = `${prefix}:replica:`;

/** Reports to the other workers, for as long as it runs, which policy this one acts by. */
export function announceReplica({ redis, clock, id, policy, every = 10_000 }: ReplicaParts): Announcement {
  const stopped = new AbortController();
  const entry = JSON.stringify({ id, policy } satisfies Replica);
  const loop = async () => {
    while (!stopped.signal.aborted) {
      // Three beats may be missed. While Redis is away nobody can read it anyway.
      await redis
        .producer()
        .set(keys + id, entry, "PX", every * 3)
        .catch(() => {});
      await clock.sleep(every, stopped.signal).catch(() => {});
    }
  };
  const running = loop();
  return {
    async close() {
      stopped.abort();
      await running;
      await redis
        .producer()
        .del(keys + id)
        .catch(() => {});
    },
  };
}

/** The live workers, by id. @throws Fault `unavailable` */
export async function listReplicas(redis: RedisConnections): Promise<Replica[]> {
  const client = redis.producer();
  const found = new Map<string, Replica>();
  try {
    let cursor = "0";
    do {
      const [next, names] = await client.scan(cursor, "MATCH", `${keys}*`, "COUNT", 500);
      cursor = next;
      for (const entry of names.length > 0 ? await client.mget(names) : []) {
        const replica = read(entry);
        if (replica) found.set(replica.id, replica);
      }
    } while (cursor !== "0");
  } catch (error) {
    throw awayFault(error);
  }
  return [...found.values()].toSorted((a, b) => a.id.localeCompare(b.id));
}

function read(entry: string | null): Replica | undefined {
  try {
    return Replica.parse(JSON.parse(entry ?? ""));
  } catch {
    return undefined;
  }
}
