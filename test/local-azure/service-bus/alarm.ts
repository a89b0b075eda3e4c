import type { Clock } from "../../../src/clock.ts";

/** Rings at the earliest time it was set to, once; then it has to be set again. */
export interface Alarm {
  /** Milliseconds since the epoch; `Infinity` is ignored. */
  set(at: number): void;
  stop(): void;
}

/** A longer sleep would overflow Node's timers; the alarm then just rings early. */
const longestSleep = 24 * 3600_000;

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let armed: { at: number; controller: AbortController } | undefined;
  const disarm = () => {
    armed?.controller.abort();
    armed = undefined;
  };
  const rung = () => {
    armed = undefined;
    ring();
  };
  let stopped = false;
  return {
    set(at) {
      if (stopped || at === Infinity || (armed && armed.at <= at)) return;
      disarm();
      const controller = new AbortController();
      armed = { at, controller };
      const wait = Math.min(Math.max(0, at - clock.now()), longestSleep);
      clock.sleep(wait, controller.signal).then(rung, () => {});
    },
    stop() {
      stopped = true;
      disarm();
    },
  };
}
