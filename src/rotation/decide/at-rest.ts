import { type Action, type SecretRules, stop } from "../model/action.ts";
import { dueAt } from "../model/due.ts";
import type { Observation, ReadableLatest } from "../model/observation.ts";
import { behind } from "../model/predicates.ts";
import { oddDerived } from "./derived.ts";
import { isUnfinished, standsAgainst } from "./foreign-version.ts";
import { isNamed } from "./own-credentials.ts";

export function isDue(seen: Observation, latest: ReadableLatest, rules: SecretRules): boolean {
  // Our own versions are not replaced again within `minInterval`: that breaks the loop in which a new version is
  // near its expiry the moment it is born.
  const rested = latest.lineage === "foreign" || seen.now - latest.createdAt >= rules.minInterval;
  const free = seen.now >= (latest.record.hold?.notBefore ?? 0);
  return rested && free && seen.now >= dueAt(latest, rules);
}

/** That a version was stored is no reason to replace it, however short its life: the near-expiry event follows. */
export function startsByItself(seen: Observation, latest: ReadableLatest, rules: SecretRules): boolean {
  // Whoever has just taken a rotation back does not ask for it: else the two answers would follow each other for ever.
  const asksForNone = seen.request?.trigger === "new-version" || seen.request?.mode === "abandon";
  return !asksForNone && isDue(seen, latest, rules);
}

/** Key Vault keeps 15 tags on a version. Ours are up to eight; fewer where nothing is rotated. */
export function tooManyTags(
  { otherTags = 0 }: ReadableLatest,
  { key }: SecretRules,
  ours = 8,
): Action | undefined {
  const tooMany = otherTags - (15 - ours);
  if (tooMany <= 0) return undefined;
  return stop(
    "too-many-tags",
    `${key} has ${otherTags} tags of others, and Key Vault takes 15 with ${ours} of keyturn's; remove ${tooMany}`,
  );
}

/** The sweep looks for what a mint left behind whose answer was lost; only where nobody can be running on it. */
export function leftBehind(
  seen: Observation,
  latest: ReadableLatest,
  rules: SecretRules,
): Action | undefined {
  const isAtRest = latest.first || latest.lineage === "ours";
  if (seen.request?.trigger !== "sweep" || !isNamed(rules) || !isAtRest || !rules.retire) return undefined;
  if (!seen.provider) return { kind: "observe", what: "provider" };
  const [orphan] = seen.provider.orphans;
  return orphan === undefined ? undefined : { kind: "revoke", credentialId: orphan };
}

/** A new version that somebody stored, or a derived secret that has to be rebuilt: with the restarts that this needs. */
export function movesReaders(seen: Observation, latest: ReadableLatest): boolean {
  const { state, from } = latest.record;
  // Our tags may have been copied from another version: only a mark that names this very version counts.
  const isDone = state === "retired" && from === latest.version;
  const isNews = latest.lineage === "foreign" && !latest.first && !isDone;
  return isNews || isUnfinished(seen, latest) || behind(seen) !== undefined;
}

export function atRest(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  if (startsByItself(seen, latest, rules))
    return tooManyTags(latest, rules) ?? { kind: "write-intent", mode: "routine" };
  const { pending, derived } = seen;
  // Left by a process that was gone before it had tidied up.
  const isLeftOver = pending.kind === "parked" && pending.equalsLatest && latest.record.state === "retired";
  if (isLeftOver && latest.record.rotation !== undefined && pending.rotation === latest.record.rotation)
    return { kind: "settle-pending", rotation: latest.record.rotation };
  if (!derived) return { kind: "observe", what: "derived" };
  // Rebuilt as after a new version that somebody stored: with the restarts that this needs.
  const moves = seen.request?.mode !== "abandon" && movesReaders(seen, latest);
  if (moves)
    return (
      standsAgainst(seen, latest, rules) ??
      tooManyTags(latest, rules, 3) ?? { kind: "write-intent", mode: "roll" }
    );
  const odd = oddDerived(seen, rules);
  if (odd) return odd;
  const { request } = seen;
  const newer = request?.trigger === "manual" && request.version !== latest.version;
  if (newer) {
    const by = latest.lineage === "ours" ? latest.record.rotation : undefined;
    return { kind: "idle", until: dueAt(latest, rules), reason: "superseded", by };
  }
  const orphan = leftBehind(seen, latest, rules);
  if (orphan) return orphan;
  const heldUntil = latest.record.hold?.notBefore ?? 0;
  if (seen.now < heldUntil) return { kind: "idle", until: heldUntil, reason: "not-before" };
  const until = dueAt(latest, rules);
  return { kind: "idle", until, reason: until <= seen.now ? "not-asked" : "not-due" };
}
