import fc from "fast-check";
import { duel } from "../crash/interleaving.ts";
import type { Scenario } from "../crash/scenarios/scenario.ts";

export interface DuelKind {
  readonly locks: boolean;
  /** One of the two stands still for longer than its leases, at any call. */
  readonly pauses: boolean;
}

/** Any order of the calls of two workers. */
export function duels(scenario: Scenario, { locks, pauses }: DuelKind) {
  const pauseAfter = pauses ? fc.nat(100) : fc.constant(undefined);
  return fc.asyncProperty(fc.scheduler(), pauseAfter, async (scheduler, after) => {
    const wrong = await duel(scheduler, { scenario, locks, pauseAfter: after });
    if (wrong.length > 0) throw new Error(wrong.join("\n"));
  });
}
