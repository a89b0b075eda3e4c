import { type Fault, toFault } from "./errors.ts";
import type { Log } from "./log.ts";

/** Pieces of work of which none may keep the others from their turn. */
export interface Attempts {
  /** `undefined` if it failed, which is logged with `what` and kept. Throws only once the signal is aborted. */
  readonly attempt: <T>(
    what: Readonly<Record<string, string>>,
    work: () => Promise<T>,
  ) => Promise<T | undefined>;
  /** What failed so far. */
  readonly faults: readonly Fault[];
}

export function attemptEach(log: Log, signal: AbortSignal): Attempts {
  const faults: Fault[] = [];
  return {
    faults,
    async attempt(what, work) {
      try {
        return await work();
      } catch (error) {
        // Not this one's failure: the whole job is to end.
        if (signal.aborted) throw error;
        const fault = toFault(error);
        faults.push(fault);
        log.warn({ ...what, code: fault.code }, fault.message);
        return undefined;
      }
    },
  };
}

/** The first one that passes by itself. */
export function retriableOf(faults: readonly Fault[]): Fault | undefined {
  return faults.find(({ kind }) => kind === "retriable");
}
