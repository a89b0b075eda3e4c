import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds since the Unix epoch. */
export type Timestamp = number;

/** Milliseconds. */
export type Millis = number;

/** The only source of time for everything under `src` and `jobs`, so that tests can move it. */
export interface Clock {
  now(): Timestamp;
  /** Resolves after `duration`; rejects with the signal's reason when it aborts first. */
  sleep(duration: Millis, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (duration, signal) => delay(duration, undefined, { signal }),
};
