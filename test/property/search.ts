import fc from "fast-check";
import type { Failure } from "../crash/matrix.ts";

/** Told what happens in a run, line by line; emptied when another begins. */
export type Trace = string[];

export interface Search {
  readonly runs: number;
  readonly seed: number;
  /** Only this run of them. */
  readonly run?: number;
}

/** Looks for a run that breaks something; the name of what it finds brings that run back, as small as it gets. */
export async function search<T>(
  name: string,
  propertyWith: (trace: Trace) => fc.IAsyncProperty<T>,
  { runs, seed, run }: Search,
): Promise<{ runs: number; failures: Failure[] }> {
  const trace: Trace = [];
  const only = run === undefined ? { numRuns: runs } : { numRuns: 1, path: String(run) };
  const result = await fc.check(propertyWith(trace), { seed, ...only });
  if (!result.failed) return { runs: result.numRuns, failures: [] };
  const first = result.counterexamplePath?.split(":")[0] ?? "0";
  const wrong = [fc.defaultReportMessage(result) ?? "failed", ...trace];
  return { runs: result.numRuns, failures: [{ replay: `${name}/${seed}:${first}`, wrong }] };
}
