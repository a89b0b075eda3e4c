import type { Clock, Millis } from "../clock.ts";
import { Fault, toFault } from "../errors.ts";
import type { Log } from "../log.ts";

export interface Patience {
  readonly clock: Clock;
  readonly log: Log;
  readonly firstWait?: Millis;
}

const longestWait: Millis = 30_000;

/** Tries of what could be a bug of ours as well as an outage; about half a minute. */
const bugTries = 8;

/**
 * Tries until the queue has taken the job, however long it is away. The message stays with us meanwhile: giving it back
 * would only have it delivered again and again until Service Bus buries it. Its lock may run out, and then it comes back
 * once more, which the queue's deduplication absorbs; as each waiting message holds a lane, no others are drawn into it.
 * @throws Fault that no waiting helps against; `cancelled` if `signal` aborts first
 */
export async function enqueuePatiently(
  { clock, log, firstWait = 250 }: Patience,
  enqueue: () => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      // Not cut short: a job that is in is worth the moment, and the queue gives up within seconds.
      return await enqueue();
    } catch (error) {
      const fault = toFault(error);
      if (!isWorthWaiting(fault, tries)) throw fault;
      const wait = Math.max(fault.retryAfter ?? 0, Math.min(longestWait, firstWait * 2 ** (tries - 1)));
      log.warn({ code: fault.code, why: fault.message, tries, retryIn: wait }, "cannot queue; trying again");
      await clock.sleep(wait, signal).catch(() => {});
      if (signal.aborted) throw new Fault("cancelled", "keyturn stops before the queue has taken the job");
    }
  }
}

function isWorthWaiting(fault: Fault, tries: number): boolean {
  return fault.kind === "retriable" && (fault.code !== "internal-error" || tries < bugTries);
}
