import fc from "fast-check";
import { duel } from "../crash/interleaving.ts";
import type { Scenario } from "../crash/scenarios/scenario.ts";
import type { Trace } from "./search.ts";

export interface DuelKind {
  /** Without them, correctness comes from looking alone. */
  readonly locks: boolean;
  /** One of the two stands still for longer than its leases, at any call. */
  readonly pauses: boolean;
}

export const kinds: readonly DuelKind[] = [
  { locks: true, pauses: false },
  { locks: true, pauses: true },
  { locks: false, pauses: false },
];

export function kindName({ locks, pauses }: DuelKind): string {
  return `${locks ? "locks" : "no locks"}${pauses ? ", one stands still" : ""}`;
}

/** Any order of the calls of two workers. */
export function duels(scenario: Scenario, { locks, pauses }: DuelKind, trace: Trace = []) {
  const pauseAfter = pauses ? fc.nat(200) : fc.constant(undefined);
  return fc.asyncProperty(fc.scheduler(), pauseAfter, async (scheduler, after) => {
    trace.length = 0;
    const wrong = await duel(scheduler, { scenario, locks, pauseAfter: after, trace });
    if (wrong.length > 0) throw new Error(wrong.join("\n"));
  });
}
