import type { Clock, Millis, Timestamp } from "../../src/clock.ts";

export interface VirtualClock extends Clock {
  /** Moves the time; sleepers due on the way wake in order, each at its own time, before the promise resolves. */
  advance(duration: Millis): Promise<void>;
  /** How many are asleep. */
  readonly sleepers: number;
  /** When the next of them wakes. */
  readonly nextAt: Timestamp | undefined;
}

interface Sleeper {
  readonly at: Timestamp;
  readonly wake: () => void;
}

/** A clock that stands still until it is told to move. */
export function createVirtualClock(start: Timestamp = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start;
  const sleepers = new Set<Sleeper>();
  const nextBefore = (end: Timestamp) =>
    [...sleepers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
  return {
    now: () => now,
    get sleepers() {
      return sleepers.size;
    },
    get nextAt() {
      return sleepers.size > 0 ? Math.min(...[...sleepers].map(({ at }) => at)) : undefined;
    },
    sleep(duration, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const end = (settle: () => void) => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", abort);
          settle();
        };
        const abort = () => end(() => reject(signal?.reason));
        const sleeper: Sleeper = { at: now + duration, wake: () => end(resolve) };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", abort);
      });
    },
    async advance(duration) {
      const end = now + duration;
      await othersHaveRun();
      for (let next = nextBefore(end); next; next = nextBefore(end)) {
        now = next.at;
        next.wake();
        await othersHaveRun();
      }
      now = end;
    },
  };
}

function othersHaveRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
