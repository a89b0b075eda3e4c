import type { Redis } from "ioredis";
import { randomUUID } from "node:crypto";
import type { Clock, Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import { prefix, throwAwayFault } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";

/**
 * Runs `work` while holding the lock. Its signal aborts with `signal` or when the lock is lost.
 *
 * @throws Fault `lock-held` if somebody else holds it, `unavailable` if Redis is away, and what `work` throws
 */
export type WithLock = <T>(
  key: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

// Both compare first: after a pause of ours the lock may be another holder's.
const extend = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end return 0`;
const release = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`;

/** How soon to try again for a lock that somebody else has: most work is done by then. */
const usualWait: Millis = 5_000;

/** Locks save effort; they prove nothing. A holder can be paused past its lease, so correctness comes from observing. */
export function createLocks(redis: RedisConnections, clock: Clock, lease: Millis): WithLock {
  // The lock of a holder that has died is free after a lease, so a longer wait than that would be idle.
  const retryAfter = Math.min(lease, usualWait);
  return async (name, signal, work) => {
    const key = `${prefix}:lock:${name}`;
    const holder = randomUUID();
    const taken = await redis.producer().set(key, holder, "PX", lease, "NX").catch(throwAwayFault);
    if (taken === null) throw new Fault("lock-held", `somebody else is at work on ${name}`, { retryAfter });
    const lost = new AbortController();
    const done = new AbortController();
    const lock = { key, holder, lease, redis: redis.producer(), clock };
    const renewing = renew(lock, lost, done.signal);
    try {
      return await work(AbortSignal.any([signal, lost.signal]));
    } finally {
      done.abort();
      await renewing;
      // If Redis is away now, the lease ends it.
      await redis
        .producer()
        .eval(release, 1, key, holder)
        .catch(() => {});
    }
  };
}

interface Lock {
  readonly key: string;
  readonly holder: string;
  readonly lease: Millis;
  readonly redis: Redis;
  readonly clock: Clock;
}

async function renew(lock: Lock, lost: AbortController, done: AbortSignal): Promise<void> {
  const { clock, lease } = lock;
  let sureUntil = clock.now() + lease;
  while (!done.aborted) {
    await clock.sleep(lease / 3, done).catch(() => {});
    if (done.aborted) return;
    const asked = clock.now();
    const kept = await lock.redis.eval(extend, 1, lock.key, lock.holder, lease).catch(() => undefined);
    if (kept === 1) sureUntil = asked + lease;
    if (kept === 0 || clock.now() >= sureUntil) {
      lost.abort(new Fault("cancelled", "the lock was lost"));
      return;
    }
  }
}
