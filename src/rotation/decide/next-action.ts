import { type Action, pause, type Rules, stop } from "../model/action.ts";
import { dueAt } from "../model/due.ts";
import type { Observation, ReadableLatest, Request } from "../model/observation.ts";
import { behind, isLeaked, isOpenPublished } from "../model/predicates.ts";
import type { Hold } from "../record/tags.ts";
import { afterPublish, isLate, rollBack } from "./after-publish.ts";
import { beforePublish, discard, standDown } from "./before-publish.ts";
import { oddChild } from "./derived.ts";
import { followLatest, isUnfinished, standsAgainst } from "./foreign-version.ts";
import { isKnown, isNamed } from "./own-credentials.ts";

/**
 * Decides the next step of one secret's rotation from what can be seen. Pure and total: same facts, same action, and
 * every action may be repeated, so that a fresh process after a crash goes on where the world stands.
 */
export function nextAction(seen: Observation, rules: Rules): Action {
  const { latest } = seen;
  if (latest.kind === "missing") {
    return stop("secret-missing", `${rules.key} does not exist; store its first version, then ask again`);
  }
  if (latest.kind === "disabled") {
    return stop(
      "secret-disabled",
      `the latest version of ${rules.key} is disabled; enable it or store a new one`,
    );
  }
  return answered(seen, latest, rules) ?? recorded(seen, latest) ?? proceed(seen, latest, rules);
}

/** A person's answer to a rotation that was given up or held. */
function answered(seen: Observation, latest: ReadableLatest, rules: Rules): Action | undefined {
  const { request } = seen;
  const { intent, hold } = latest.record;
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "confirm" && request.subject) return { kind: "waive", group: request.subject };
  if (request?.mode === "revoke" && request.subject) return revokeNamed(seen, latest, rules, request.subject);
  if (request?.mode === "retry" && isHeldBack(hold))
    return { kind: "write-intent", mode: intent?.mode ?? "routine" };
  const isDropped = request?.mode === "abandon" && !isOpenPublished(latest) && (intent ?? hold);
  return isDropped ? discard(seen, latest, rules) : undefined;
}

/** What a person names is revoked, as long as it is one of the target's, and not the one that is published. */
function revokeNamed(seen: Observation, latest: ReadableLatest, rules: Rules, id: string): Action {
  if (!isKnown(id, rules)) return stop("slot-unknown", `'${id}' is none of the credentials of ${rules.key}`);
  if (!seen.provider) return { kind: "look", at: "provider" };
  if (seen.provider.latest === "unknown") return pause(seen);
  // `""`: the provider does not tell which one is published.
  if (id === latest.credentialId || !latest.credentialId || seen.provider.latest !== "accepted") {
    return stop(
      "slot-unknown",
      `'${id}' may be the credential that ${rules.key} holds now; store another one first`,
    );
  }
  return { kind: "revoke", credentialId: id };
}

/** That a value is leaked, and whom a person has confirmed, stays true: there is nothing in it to be tried again. */
function isHeldBack(hold: Hold | undefined): boolean {
  return hold?.quarantined !== undefined || hold?.notBefore !== undefined || (hold?.failures ?? 0) > 0;
}

/** A request of a person that no tag tells of yet is written down before anything else. */
function recorded({ request }: Observation, latest: ReadableLatest): Action | undefined {
  const { intent } = latest.record;
  if (isLeakOfReplaced(latest, request)) return { kind: "mark-leaked" };
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "compromised" && intent?.mode !== "compromised") {
    return { kind: "write-intent", mode: "compromised" };
  }
  const intended = intent !== undefined && intent.mode !== "roll";
  return request?.mode === "routine" && !intended ? { kind: "write-intent", mode: "routine" } : undefined;
}

/** It was asked of the version that the open rotation has replaced meanwhile: that one is leaked, not latest. */
function isLeakOfReplaced(latest: ReadableLatest, request: Request | undefined): boolean {
  const isLeak = request?.trigger === "manual" && request.mode === "compromised";
  return isLeak && request.version === latest.record.from && isOpenPublished(latest) && !isLeaked(latest);
}

/** By a person, of the very version that is latest. */
function isAskedOf(latest: ReadableLatest, request: Request | undefined): boolean {
  return request?.trigger === "manual" && request.version === latest.version;
}

function proceed(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { intent, hold } = latest.record;
  const isOpen = isOpenPublished(latest);
  // A leaked credential is retired in time, whatever else did not work.
  if (hold?.quarantined !== undefined && !(isOpen && isLate(seen, latest, rules)))
    return quarantined(seen, latest, rules, hold.quarantined);
  if (isOpen) {
    if (!latest.enabled) return unreadable(rules);
    const isBack = intent?.mode === "rolling-back" && !isLeaked(latest);
    return isBack ? rollBack(seen, rules) : afterPublish(seen, latest, rules);
  }
  if (intent?.mode === "roll" && !startsByItself(seen, latest, rules))
    return followLatest(seen, latest, rules);
  if (intent?.mode === "routine" || intent?.mode === "compromised") return beforePublish(seen, latest, rules);
  return atRest(seen, latest, rules);
}

function quarantined(seen: Observation, latest: ReadableLatest, rules: Rules, code: string): Action {
  const question =
    `the rotation of ${rules.key} was given up: ${code}; mend the cause, then ` +
    `keyturn resolve ${rules.key} --retry${isOpenPublished(latest) ? "" : ", or --abandon"}`;
  return standDown(seen, latest, rules, stop("quarantined", question));
}

function isDue(seen: Observation, latest: ReadableLatest, rules: Rules): boolean {
  // Our own versions are not replaced again within `minInterval`: that breaks the loop in which a new version is
  // near its expiry the moment it is born.
  const rested = latest.lineage === "foreign" || seen.now - latest.createdAt >= rules.minInterval;
  const free = seen.now >= (latest.record.hold?.notBefore ?? 0);
  return rested && free && seen.now >= dueAt(latest, rules);
}

/** That a version was stored is no reason to replace it, however short its life: the near-expiry event follows. */
function startsByItself(seen: Observation, latest: ReadableLatest, rules: Rules): boolean {
  // Whoever has just taken a rotation back does not ask for it: else the two answers would follow each other for ever.
  const asksForNone = seen.request?.trigger === "new-version" || seen.request?.mode === "abandon";
  return !asksForNone && isDue(seen, latest, rules);
}

function atRest(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  if (startsByItself(seen, latest, rules))
    return tooManyTags(latest, rules) ?? { kind: "write-intent", mode: "routine" };
  const { pending, children } = seen;
  // Left by a process that was gone before it had tidied up.
  const isLeftOver = pending.kind === "parked" && pending.equalsLatest && latest.record.state === "retired";
  if (isLeftOver && latest.record.rotation !== undefined && pending.rotation === latest.record.rotation)
    return { kind: "settle-pending", rotation: latest.record.rotation };
  if (!children) return { kind: "look", at: "children" };
  // Rebuilt as after a new version that somebody stored: with the restarts that this needs.
  const moves = seen.request?.mode !== "abandon" && movesReaders(seen, latest);
  if (moves)
    return (
      standsAgainst(seen, latest, rules) ??
      tooManyTags(latest, rules, 3) ?? { kind: "write-intent", mode: "roll" }
    );
  const odd = oddChild(seen, rules);
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
  if (seen.now < heldUntil) return { kind: "idle", until: heldUntil, reason: "held" };
  const until = dueAt(latest, rules);
  return { kind: "idle", until, reason: until <= seen.now ? "not-asked" : "not-due" };
}

/** A new version that somebody stored, or a derived secret that has to be rebuilt: with the restarts that this needs. */
function movesReaders(seen: Observation, latest: ReadableLatest): boolean {
  const { state, from } = latest.record;
  // Our tags may have been copied from another version: only a mark that names this very version counts.
  const isDone = state === "retired" && from === latest.version;
  const isNews = latest.lineage === "foreign" && !latest.first && !isDone;
  return isNews || isUnfinished(seen, latest) || behind(seen) !== undefined;
}

function unreadable({ key }: Rules): Action {
  return stop(
    "secret-disabled",
    `the latest version of ${key} is disabled, and the rotation that made it is not closed; ` +
      "enable it, and keyturn ends that rotation at once and makes another one",
  );
}

/** The sweep looks for what a mint left behind whose answer was lost; only where nobody can be running on it. */
function leftBehind(seen: Observation, latest: ReadableLatest, rules: Rules): Action | undefined {
  const isAtRest = latest.first || latest.lineage === "ours";
  if (seen.request?.trigger !== "sweep" || !isNamed(rules) || !isAtRest || !rules.retire) return undefined;
  if (!seen.provider) return { kind: "look", at: "provider" };
  const [orphan] = seen.provider.orphans;
  return orphan === undefined ? undefined : { kind: "revoke", credentialId: orphan };
}

/** Key Vault keeps 15 tags on a version. Ours are up to eight; fewer where nothing is rotated. */
function tooManyTags({ otherTags = 0 }: ReadableLatest, { key }: Rules, ours = 8): Action | undefined {
  const tooMany = otherTags - (15 - ours);
  if (tooMany <= 0) return undefined;
  return stop(
    "too-many-tags",
    `${key} has ${otherTags} tags of others, and Key Vault takes 15 with ${ours} of keyturn's; remove ${tooMany}`,
  );
}
