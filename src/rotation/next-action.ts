import type { Timestamp } from "../clock.ts";
import { type Action, type Rules, stop } from "./action.ts";
import { afterPublish, rollBack } from "./after-publish.ts";
import { beforePublish, standDown } from "./before-publish.ts";
import { followLatest, isUnfinished, standsAgainst } from "./follow-foreign.ts";
import { behind, oddChild } from "./next-child.ts";
import type { Observation, ReadableLatest, Request } from "./state.ts";

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

/** When this version should be replaced: `rotateBefore` its expiry, or its age if it has none. */
export function dueAt(
  latest: { createdAt: Timestamp; expiresAt: Timestamp | undefined },
  rules: Pick<Rules, "validity" | "rotateBefore">,
): Timestamp {
  return (latest.expiresAt ?? latest.createdAt + rules.validity) - rules.rotateBefore;
}

/** Published by us and not yet retired: the rotation that made it is still open. */
export function isOpenPublished(latest: ReadableLatest): boolean {
  return latest.lineage === "ours" && latest.record.state !== "retired";
}

/** A person's answer to a rotation that was given up or held. */
function answered(seen: Observation, latest: ReadableLatest, rules: Rules): Action | undefined {
  const { request } = seen;
  const { intent, hold } = latest.record;
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "retry" && hold) return { kind: "write-intent", mode: intent?.mode ?? "routine" };
  const isDropped = request?.mode === "abandon" && !isOpenPublished(latest) && (intent ?? hold);
  return isDropped ? standDown(seen, latest, rules, { kind: "drop-intent" }) : undefined;
}

/** A request of a person that no tag tells of yet is written down before anything else. */
function recorded({ request }: Observation, latest: ReadableLatest): Action | undefined {
  const { intent } = latest.record;
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "compromised" && intent?.mode !== "compromised") {
    return { kind: "write-intent", mode: "compromised" };
  }
  const intended = intent !== undefined && intent.mode !== "roll";
  return request?.mode === "routine" && !intended ? { kind: "write-intent", mode: "routine" } : undefined;
}

/** By a person, of the very version that is latest. */
function isAskedOf(latest: ReadableLatest, request: Request | undefined): boolean {
  return request?.trigger === "manual" && request.version === latest.version;
}

function proceed(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { intent, hold } = latest.record;
  if (hold?.quarantined !== undefined) return quarantined(seen, latest, rules, hold.quarantined);
  if (isOpenPublished(latest)) {
    if (!latest.enabled) return unreadable(rules);
    return intent?.mode === "rolling-back" ? rollBack(seen, rules) : afterPublish(seen, latest, rules);
  }
  if (intent?.mode === "roll" && !startsByItself(seen, latest, rules))
    return followLatest(seen, latest, rules);
  if (intent?.mode === "routine" || intent?.mode === "compromised") return beforePublish(seen, latest, rules);
  return atRest(seen, latest, rules);
}

function quarantined(seen: Observation, latest: ReadableLatest, rules: Rules, code: string): Action {
  const question =
    `the rotation of ${rules.key} was given up: ${code}; mend the cause, then ` +
    `keyturn resolve ${rules.key} --retry, or --abandon`;
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
  return seen.request?.trigger !== "new-version" && isDue(seen, latest, rules);
}

function atRest(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  if (startsByItself(seen, latest, rules)) return { kind: "write-intent", mode: "routine" };
  const { pending, children } = seen;
  // Left by a process that was gone before it had tidied up.
  const isLeftOver = pending.kind === "parked" && pending.equalsLatest && latest.record.state === "retired";
  if (isLeftOver && latest.record.rotation !== undefined && pending.rotation === latest.record.rotation)
    return { kind: "settle-pending", rotation: latest.record.rotation };
  if (!children) return { kind: "look", at: "children" };
  // Rebuilt as after a new version that somebody stored: with the restarts that this needs.
  const move = movesReaders(seen, latest);
  if (move) return standsAgainst(seen, latest, rules) ?? { kind: "write-intent", mode: "roll" };
  const odd = oddChild(seen, rules);
  if (odd) return odd;
  const { request } = seen;
  const newer = request?.trigger === "manual" && request.version !== latest.version;
  if (newer) {
    const by = latest.lineage === "ours" ? latest.record.rotation : undefined;
    return { kind: "idle", until: dueAt(latest, rules), reason: "superseded", by };
  }
  const heldUntil = latest.record.hold?.notBefore ?? 0;
  if (seen.now < heldUntil) return { kind: "idle", until: heldUntil, reason: "held" };
  const until = dueAt(latest, rules);
  return { kind: "idle", until, reason: until <= seen.now ? "not-asked" : "not-due" };
}

/** A new version that somebody stored, or a derived secret that has to be rebuilt: with the restarts that this needs. */
function movesReaders(seen: Observation, latest: ReadableLatest): boolean {
  const { request } = seen;
  const somebodyWrote = request?.trigger === "new-version" && latest.lineage === "foreign" && !latest.first;
  const isNews = somebodyWrote && latest.record.state !== "retired";
  return isNews || isUnfinished(seen, latest) || behind(seen) !== undefined;
}

function unreadable({ key }: Rules): Action {
  return stop(
    "secret-disabled",
    `the latest version of ${key} is disabled, and the rotation that made it is not closed; ` +
      "enable it, and keyturn ends that rotation at once and makes another one",
  );
}
