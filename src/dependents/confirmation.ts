import type { GroupId } from "../azure/container-instances.ts";
import { type Dependent, type Reader, resolveDependents, type DependentsPorts } from "./dependents.ts";
import { fingerprintOf, lostSince, waiverOf } from "./fingerprint.ts";
import type { Publication } from "./group-facts.ts";
import { groupFacts, isConfirmed, standing } from "./standing.ts";

export interface Confirmations {
  /** Gating groups that are not confirmed on this version, */
  readonly unconfirmed: readonly GroupId[];
  /** and how many are. */
  readonly confirmed: number;
  /** Gating groups that are not up, whatever they run on. */
  readonly down: readonly GroupId[];
  /** Groups that gate nothing and are not confirmed either. */
  readonly others: readonly GroupId[];
  /** How many gating groups fewer there are than at the publish, although the policy says the same of them. */
  readonly lost: number;
}

/**
 * Which dependents are not confirmed on this version. `waived`: groups that a person has confirmed; `recorded`: what
 * was written down of the dependents at the publish.
 */
export async function observeReaders(
  secret: Reader,
  { waived = [], recorded, ...publication }: Publication & Waivers,
  ports: DependentsPorts,
  signal: AbortSignal,
): Promise<Confirmations> {
  const dependents = await resolveDependents(secret, ports, signal);
  const behind: Dependent[] = [];
  const down: GroupId[] = [];
  for (const dependent of dependents) {
    const facts = groupFacts(dependent.group, await ports.groups.get(dependent.group, signal));
    const where = standing(facts, publication, ports.policy.rollout, ports.clock.now());
    if (facts.phase === "unsettled" && dependent.gate) down.push(dependent.group);
    if (!isConfirmed(where) && !waived.includes(waiverOf(dependent.group))) behind.push(dependent);
  }
  const unconfirmed = behind.filter(({ gate }) => gate).map(({ group }) => group);
  const gating = dependents.filter(({ gate }) => gate).length;
  return {
    unconfirmed,
    confirmed: gating - unconfirmed.length,
    down,
    others: behind.filter(({ gate }) => !gate).map(({ group }) => group),
    lost: lostSince(recorded, fingerprintOf(secret, dependents, ports.policy)),
  };
}

export interface Waivers {
  readonly waived?: readonly string[] | undefined;
  readonly recorded?: string | undefined;
}
