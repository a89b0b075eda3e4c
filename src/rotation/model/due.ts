import type { Timestamp } from "../../clock.ts";
import type { SecretRules } from "./action.ts";
import type { Observation, ReadableLatest } from "./observation.ts";

/** When this version should be replaced: `rotateBefore` its expiry, or its age if it has none. */
export function dueAt(
  latest: { createdAt: Timestamp; expiresAt: Timestamp | undefined },
  rules: Pick<SecretRules, "validity" | "rotateBefore">,
): Timestamp {
  return (latest.expiresAt ?? latest.createdAt + rules.validity) - rules.rotateBefore;
}

/** Due, and nothing is asked that speaks against a rotation without a person. */
export function startsAutomatically(
  seen: Observation,
  latest: ReadableLatest,
  rules: Pick<SecretRules, "validity" | "rotateBefore" | "minInterval">,
): boolean {
  // That a version was stored is no reason to replace it, however short its life: the near-expiry event follows. And
  // whoever has just taken a rotation back does not ask for it: else the two answers would follow each other for ever.
  const asksForNone = seen.request?.trigger === "new-version" || seen.request?.mode === "abandon";
  return !asksForNone && isDue(seen, latest, rules);
}

function isDue(
  { now }: Observation,
  latest: ReadableLatest,
  rules: Pick<SecretRules, "validity" | "rotateBefore" | "minInterval">,
): boolean {
  // Our own versions are not replaced again within `minInterval`: that breaks the loop in which a new version is near
  // its expiry the moment it is born.
  const hasRested = latest.lineage === "foreign" || now - latest.createdAt >= rules.minInterval;
  const isFree = now >= (latest.record.hold?.notBefore ?? 0);
  return hasRested && isFree && now >= dueAt(latest, rules);
}
