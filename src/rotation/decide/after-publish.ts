import type { Timestamp } from "../../clock.ts";
import { type Action, pause, type SecretRules, stop } from "../model/action.ts";
import type { Observation, ReadableLatest } from "../model/observation.ts";
import { isLeaked } from "../model/predicates.ts";
import { oddDerived, rebuild } from "./derived.ts";
import { isKnown, isNamed, whichOne } from "./own-credentials.ts";

/** Our version is latest and its rotation open: proves it, brings the dependents along, retires the old credential. */
export function afterPublish(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const { provider, pending, dependents } = seen;
  const rotation = latest.record.rotation ?? "";
  if (latest.credentialId === undefined) return unreadable(rules);
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.latest === "unknown") return pause(seen);
  if (provider.latest === "rejected") return repair(seen, rotation, rules);
  // Where somebody stored a version while we published, only the parked copy tells that latest is ours.
  const isParked = pending.kind === "parked" && pending.rotation === rotation;
  if (isParked && !latest.between?.length) return { kind: "settle-pending", rotation };
  const late = isLate(seen, latest, rules);
  const child = rebuild(seen);
  if (child && (child.kind === "observe" || !late)) return child;
  if (!dependents) return { kind: "observe", what: "dependents" };
  if (dependents.unconfirmed.length > 0 && !late)
    return notConfirmed(seen, latest, dependents.unconfirmed, rules);
  const odd = late ? undefined : oddDerived(seen, rules);
  if (odd) return odd;
  const retireAt = overlapEnd(latest, rules);
  if (seen.now < retireAt) return { kind: "wait", until: retireAt, reason: "overlap" };
  if ((dependents.lost ?? 0) > 0 && !late) return lost(dependents.lost, rules);
  return retire(seen, latest, rules);
}

/** Whoever cannot be found may still hold the old credential. */
function lost(count: number | undefined, { key }: SecretRules): Action {
  return stop(
    "dependents-missing",
    `${count} container group(s) that read ${key} when it was published cannot be found any more, and the policy has not ` +
      "changed; bring their tags back, take them out of the policy, or confirm each that is gone: " +
      `keyturn resolve ${key} --confirm GROUP`,
  );
}

function unreadable({ key }: SecretRules): Action {
  return stop(
    "cannot-adopt",
    `the text of ${key}, which keyturn published, does not fit the policy's template any more; ` +
      "bring the template back until the old credential is retired",
  );
}

/** A leaked credential lives no longer than this, whoever still needs it. */
export function isLate({ now }: Observation, latest: ReadableLatest, { deadline }: SecretRules): boolean {
  return isLeaked(latest) && now >= leakedSince(latest) + deadline;
}

/** A restart that failed turns the rotation round, unless the old value is leaked: there is no way back to that one. */
function notConfirmed(
  seen: Observation,
  latest: ReadableLatest,
  groups: readonly string[],
  rules: SecretRules,
): Action {
  if (seen.request?.trigger !== "roll-failed" || isLeaked(latest)) return { kind: "roll", groups };
  if (latest.record.restores === undefined) return { kind: "write-intent", mode: "rolling-back" };
  // It may still be the failure that was the reason for going back.
  if (seen.now < latest.createdAt + 2 * rules.deadline) return { kind: "roll", groups };
  return stop(
    "cannot-roll-back",
    `${groups.length} container group(s) do not come up on the restored value of ${rules.key} either; ` +
      `bring them up, or confirm each: keyturn resolve ${rules.key} --confirm GROUP`,
  );
}

/** Nobody needs an overlap with a leaked value, or with one that was taken back. */
function overlapEnd(latest: ReadableLatest, { overlap }: SecretRules): Timestamp {
  return isLeaked(latest) || latest.record.restores !== undefined ? 0 : latest.createdAt + overlap;
}

function leakedSince({ record, createdAt }: ReadableLatest): Timestamp {
  return record.intent?.mode === "compromised" ? record.intent.at : createdAt;
}

/**
 * The provider refuses what we published: somebody changed it there. It is set to our value again, but only after the
 * candidate has shown that the value is ours: tags alone prove nothing.
 */
function repair({ pending, provider }: Observation, rotation: string, rules: SecretRules): Action {
  // Two workers each made a candidate: one value was published, then the other one took its place at the provider.
  const isRaced = pending.kind === "parked" && pending.rotation === rotation && !pending.equalsLatest;
  if (isRaced && provider?.pending === "accepted") return { kind: "publish", rotation };
  const isChosen = rules.rotator.origin === "chosen";
  // Whoever was first has put away what the other one had parked a moment before.
  if (pending.kind === "none") return { kind: "reopen-pending", rotation };
  const isOurs = pending.kind === "parked" && pending.rotation === rotation && pending.equalsLatest;
  if (isChosen && isOurs) return { kind: "repair", rotation };
  return stop(
    "foreign-version",
    `the provider refuses the latest version of ${rules.key}, and that is not the value keyturn made; ` +
      "store a value that works, then ask again",
  );
}

/** Only a slot whose present value is the replaced one, and not the one in use, is ever revoked. */
function retire(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const { replaced, provider } = seen;
  const end = close(seen, latest, rules);
  if (!rules.retire) return end;
  const [orphan] = provider?.orphans ?? [];
  if (orphan !== undefined) return { kind: "revoke", credentialId: orphan };
  const old = replaced?.credentialId;
  if (old === "" && isNamed(rules) && provider?.replaced === "accepted") return whichOne(rules);
  // Whoever has disabled it meant well, but a credential that cannot be compared cannot be revoked.
  const isHidden = replaced?.enabled === false && replaced.record.state !== "revoked";
  if (isHidden && old === undefined && hasTwo(rules)) return { kind: "reopen", version: replaced.version };
  if (!old || old === latest.credentialId || !isKnown(old, rules)) return end;
  if (provider?.replaced === "unknown") return pause(seen);
  return provider?.replaced === "accepted" ? { kind: "revoke", credentialId: old } : end;
}

/** Whether the old credential is another one than that of latest, which somebody can be told to refuse. */
function hasTwo({ rotator }: SecretRules): boolean {
  return rotator.overlap === "dual" && (rotator.slots.length > 0 || rotator.origin === "minted");
}

/**
 * Once the rotation is closed nobody looks any more. Who gates nothing is brought along before, but not waited for for
 * long; who could not follow a leak in time is not forgotten.
 */
function close(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const { unconfirmed = [], others = [] } = seen.dependents ?? {};
  if (unconfirmed.length > 0) return { kind: "roll", groups: unconfirmed };
  const patience = Math.max(overlapEnd(latest, rules), latest.createdAt) + rules.deadline;
  return others.length > 0 && seen.now < patience ? { kind: "roll", groups: others } : { kind: "close" };
}
