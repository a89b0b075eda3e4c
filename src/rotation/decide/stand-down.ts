import { type Action, pause, type SecretRules } from "../model/action.ts";
import type { Observation, Pending, ReadableLatest } from "../model/observation.ts";
import { isKnown } from "./own-credentials.ts";

/** Parked by this rotation, for the slot that is free now, and not the value that is latest already. */
export function isCandidate(pending: Pending, rotation: string, slot: string): boolean {
  if (pending.kind !== "parked" || pending.rotation !== rotation || pending.equalsLatest) return false;
  return slot === "" ? pending.credentialId !== undefined : pending.credentialId === slot;
}

/**
 * A rotation that ends before its publish must leave latest working: where one credential is replaced in place, the
 * provider may hold the candidate already. Returns `end` once that is so.
 */
export function standDown(
  seen: Observation,
  latest: ReadableLatest,
  rules: SecretRules,
  end: Action,
): Action {
  const { pending, provider } = seen;
  const mayBeApplied =
    rules.rotator.overlap === "single" && isCandidate(pending, latest.rotation, latest.credentialId ?? "");
  if (!mayBeApplied) return end;
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.latest === "unknown" || provider.pending === "unknown") return pause(seen);
  return provider.latest === "rejected" && provider.pending === "accepted"
    ? { kind: "set-back", to: "latest" }
    : end;
}

/** A candidate that nobody will publish is not left alive at the provider; then what was asked is taken back. */
export function discard(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const end = standDown(seen, latest, rules, { kind: "drop-intent" });
  const { pending, provider } = seen;
  if (rules.rotator.overlap === "single" || end.kind !== "drop-intent") return end;
  const id = pending.kind === "parked" && pending.rotation === latest.rotation ? pending.credentialId : "";
  if (!id || id === latest.credentialId || !isKnown(id, rules)) return end;
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.pending === "unknown") return pause(seen);
  return provider.pending === "accepted" ? { kind: "revoke", credentialId: id } : end;
}
