import type { Clock, Millis } from "../clock.ts";
import { Fault } from "../errors.ts";

/** Stops waiting for `work` after `limit`; the work itself goes on, and how it ends is then nobody's concern. */
export async function endWithin<T>(clock: Clock, limit: Millis, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const overrun = clock.sleep(limit, done.signal).then(() => {
    throw new Fault("unavailable", `no answer within ${limit} ms`);
  });
  // Its rejection counts only while the race is open.
  overrun.catch(() => {});
  try {
    return await Promise.race([work, overrun]);
  } finally {
    done.abort();
  }
}
