import type { Clock } from "../clock.ts";
import { deadLetters } from "../queue/dead-letters.ts";
import { createEnqueue } from "../queue/enqueue.ts";
import type { RedisConnections } from "../queue/redis.ts";
import { watchProgress } from "../queue/watch.ts";
import type { Session } from "./dependencies.ts";

export interface LazyQueuesParts {
  readonly connect: () => RedisConnections;
  /** Digest of the policy by which the person acts. */
  readonly policy: string;
  readonly clock: Clock;
}

/** How long a command waits for Redis. */
const patience = 5_000;

/** What a session does in Redis. It is connected to by the first use, so that `status` works while it is away. */
export function openQueuesLazily(
  parts: LazyQueuesParts,
): Pick<Session, "enqueue" | "deadLetters" | "watch"> & AsyncDisposable {
  let opened: ReturnType<typeof open> | undefined;
  const used = () => (opened ??= open(parts));
  /** @throws Fault `unavailable` */
  const ready = async () => {
    const queues = used();
    await queues.redis.whenReady(patience);
    return queues;
  };
  return {
    enqueue: async (stage, data, options) => (await ready()).enqueue(stage, data, options),
    deadLetters: {
      list: async () => (await ready()).letters.list(),
      replay: async (id, enqueue) => (await ready()).letters.replay(id, enqueue),
    },
    watch: (signal) => watchProgress(used().redis, { signal, clock: parts.clock }),
    async [Symbol.asyncDispose]() {
      await opened?.close();
      await opened?.redis.close();
    },
  };
}

function open({ connect, policy }: LazyQueuesParts) {
  const redis = connect();
  return { redis, letters: deadLetters(redis), ...createEnqueue({ redis, policy }) };
}
