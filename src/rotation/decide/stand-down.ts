import type { Action } from "../model/action.ts";
import type { Pending } from "../model/observation.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { candidateAnswered, latestAnswered, providerObserved } from "./observed.ts";
import { isKnown } from "./own-credentials.ts";

/**
 * A rotation that ends before its publish must leave latest working: where one credential is replaced in place, the
 * provider may hold the candidate already. No answer once nothing is in the way of the end.
 */
export const standDown = when(
  mayBeApplied,
  providerObserved,
  latestAnswered,
  candidateAnswered,
  setBackToLatest,
);

/** A candidate that nobody will publish is not left alive at the provider; then what was asked is taken back. */
export const discard = firstOf([
  standDown,
  when(leavesCandidate, providerObserved, candidateAnswered, revokeCandidate),
  () => ({ kind: "drop-intent" }),
]);

function mayBeApplied({ seen: { pending }, latest, rules }: Situation): boolean {
  return (
    rules.rotator.overlap === "single" && isCandidate(pending, latest.rotation, latest.credentialId ?? "")
  );
}

function setBackToLatest({ seen: { provider } }: Situation): Action | undefined {
  return provider?.latest === "rejected" && provider.pending === "accepted"
    ? { kind: "set-back", to: "latest" }
    : undefined;
}

/** Beside latest's credential, and one of ours. */
function leavesCandidate(situation: Situation): boolean {
  const { latest, rules } = situation;
  const id = candidateId(situation);
  return rules.rotator.overlap === "dual" && id !== "" && id !== latest.credentialId && isKnown(id, rules);
}

function revokeCandidate(situation: Situation): Action | undefined {
  return situation.seen.provider?.pending === "accepted"
    ? { kind: "revoke", credentialId: candidateId(situation) }
    : undefined;
}

function candidateId({ seen: { pending }, latest }: Situation): string {
  const isOfThis = pending.kind === "parked" && pending.rotation === latest.rotation;
  return (isOfThis && pending.credentialId) || "";
}

/** Parked by this rotation, for the slot that is free now, and not the value that is latest already. */
export function isCandidate(pending: Pending, rotation: string, slot: string): boolean {
  if (pending.kind !== "parked" || pending.rotation !== rotation || pending.equalsLatest) return false;
  return slot === "" ? pending.credentialId !== undefined : pending.credentialId === slot;
}
