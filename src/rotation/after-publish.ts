import type { Timestamp } from "../clock.ts";
import { type Action, pause, type Rules, stop } from "./action.ts";
import { oddChild, rebuild } from "./next-child.ts";
import type { Observation, ReadableLatest } from "./state.ts";

/** Our version is latest and its rotation open: proves it, brings the dependents along, retires the old credential. */
export function afterPublish(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { provider, pending, dependents } = seen;
  const rotation = latest.record.rotation ?? "";
  if (!provider) return { kind: "look", at: "provider" };
  if (provider.latest === "unknown") return pause(seen);
  if (provider.latest === "refused") return repair(seen, rotation, rules);
  if (pending.kind === "parked" && pending.rotation === rotation) return { kind: "settle-pending", rotation };
  const child = rebuild(seen);
  if (child) return child;
  if (!dependents) return { kind: "look", at: "dependents" };
  const late = isLeaked(latest) && seen.now >= leakedSince(latest) + rules.deadline;
  if (dependents.unconfirmed.length > 0 && !late) return notConfirmed(seen, latest, dependents.unconfirmed);
  const odd = late ? undefined : oddChild(seen, rules);
  if (odd) return odd;
  const retireAt = overlapEnd(latest, rules);
  if (seen.now < retireAt) return { kind: "wait", until: retireAt, reason: "overlap" };
  return retire(seen, latest, rules);
}

/** A restart that failed turns the rotation round, unless the old value is leaked: there is no way back to that one. */
function notConfirmed(seen: Observation, latest: ReadableLatest, groups: readonly string[]): Action {
  const failed = seen.request?.trigger === "roll-failed" && latest.record.restores === undefined;
  if (failed && !isLeaked(latest)) return { kind: "write-intent", mode: "rolling-back" };
  return { kind: "roll", groups };
}

/** Nobody needs an overlap with a leaked value, or with one that was taken back. */
function overlapEnd(latest: ReadableLatest, { overlap }: Rules): Timestamp {
  return isLeaked(latest) || latest.record.restores !== undefined ? 0 : latest.createdAt + overlap;
}

function isLeaked({ record }: ReadableLatest): boolean {
  return record.hold?.leaked === true || record.intent?.mode === "compromised";
}

function leakedSince({ record, createdAt }: ReadableLatest): Timestamp {
  return record.intent?.mode === "compromised" ? record.intent.at : createdAt;
}

/**
 * The provider refuses what we published: somebody changed it there. It is set to our value again, but only after the
 * candidate has shown that the value is ours: tags alone prove nothing.
 */
function repair({ pending, provider }: Observation, rotation: string, rules: Rules): Action {
  // Two workers each made a candidate: one value was published, then the other one took its place at the provider.
  const isRaced = pending.kind === "parked" && pending.rotation === rotation && !pending.equalsLatest;
  if (isRaced && provider?.pending === "accepted") return { kind: "publish", rotation };
  const isChosen = rules.rotator.origin === "chosen";
  if (isChosen && pending.kind === "none") return { kind: "reopen-pending", rotation };
  const isOurs = pending.kind === "parked" && pending.rotation === rotation && pending.equalsLatest;
  if (isChosen && isOurs) return { kind: "repair", rotation };
  return stop(
    "foreign-version",
    `the provider refuses the latest version of ${rules.key}, and that is not the value keyturn made; ` +
      "store a value that works, then ask again",
  );
}

/** Only a slot whose present value is the replaced one, and not the one in use, is ever revoked. */
function retire(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { replaced, provider } = seen;
  if (!rules.retire) return { kind: "close" };
  const [orphan] = provider?.orphans ?? [];
  if (orphan !== undefined) return { kind: "revoke", credentialId: orphan };
  const old = replaced?.credentialId;
  if (old === "" && isNamed(rules) && provider?.replaced === "accepted") return whichOne(rules);
  if (!old || old === latest.credentialId || !isKnown(old, rules)) return { kind: "close" };
  if (provider?.replaced === "unknown") return pause(seen);
  return provider?.replaced === "accepted" ? { kind: "revoke", credentialId: old } : { kind: "close" };
}

/** Whether its credentials have ids that only the provider gives: one without is alive, and cannot be named. */
function isNamed({ rotator }: Rules): boolean {
  return rotator.origin === "minted" && rotator.slots.length === 0;
}

function whichOne({ key }: Rules): Action {
  return stop(
    "slot-unknown",
    `the old credential of ${key} is still accepted, and the provider does not tell which of its credentials it is; ` +
      "remove it there by hand",
  );
}

/** Of the target's slots; where there are none, any id that the provider gave. Else an id is only what a tag says. */
function isKnown(id: string, { rotator }: Rules): boolean {
  return rotator.slots.length === 0 ? rotator.origin === "minted" : rotator.slots.includes(id);
}

/**
 * Backwards, never forwards: the provider accepts the replaced value (set there again if there is only one credential),
 * then that value is published as a new version, which the dependents follow as they follow any other.
 */
export function rollBack(seen: Observation, rules: Rules): Action {
  const { provider, replaced } = seen;
  if (!replaced?.enabled || replaced.credentialId === undefined) return noWayBack(rules);
  if (!provider) return { kind: "look", at: "provider" };
  if (provider.replaced === "unknown") return pause(seen);
  if (provider.replaced === "accepted") return { kind: "restore" };
  return rules.rotator.overlap === "single" && rules.rotator.origin === "chosen"
    ? { kind: "set-back", to: "replaced" }
    : noWayBack(rules);
}

function noWayBack({ key }: Rules): Action {
  return stop(
    "cannot-roll-back",
    `${key} was to be rolled back, but the replaced value is gone or refused by the provider; ` +
      "bring its dependents up on the latest version, or store a value that works",
  );
}
