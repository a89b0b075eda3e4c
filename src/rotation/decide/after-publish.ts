import { type Action, stop } from "../model/action.ts";
import { isLate as isLeakLate, isLeaked } from "../model/predicates.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { oddDerived, rebuildDerived } from "./derived.ts";
import { dependentsObserved, derivedObserved, latestAnswered, providerObserved } from "./observed.ts";
import { overlapEnd, retire } from "./retire.ts";

/** The provider rejects what we published: somebody changed it there. */
const repair = firstOf([
  publishTheOther,
  reopenCandidate,
  when(({ rules }) => rules.rotator.origin === "chosen", setAgain),
  askForWorkingValue,
]);

/** A restart that failed turns the rotation round, unless the old value is leaked: there is no way back to that one. */
const rollUnconfirmed = firstOf([
  when(hasNoFailedRestart, roll),
  when(({ latest }) => latest.record.restores === undefined, rollBack),
  when(mayStillBeTheFirstFailure, roll),
  askForReaders,
]);

/** Our version is latest and its rotation open: proves it, brings the dependents along, retires the old credential. */
export const afterPublish = firstOf([
  doesNotFitTemplate,
  providerObserved,
  latestAnswered,
  when(({ seen }) => seen.provider?.latest === "rejected", repair),
  settleCandidate,
  derivedObserved,
  when(isInTime, rebuildDerived),
  dependentsObserved,
  when(isInTime, when(hasUnconfirmed, rollUnconfirmed), oddDerived),
  waitForOverlap,
  when(isInTime, askForMissing),
  retire,
]);

function doesNotFitTemplate({ latest, rules }: Situation): Action | undefined {
  if (latest.credentialId !== undefined) return undefined;
  return stop(
    "cannot-adopt",
    `the text of ${rules.key}, which keyturn published, does not fit the policy's template any more; ` +
      "bring the template back until the old credential is retired",
  );
}

/** Two workers each made a candidate: one value was published, then the other one took its place at the provider. */
function publishTheOther(situation: Situation): Action | undefined {
  const { pending, provider } = situation.seen;
  const isRaced = isParkedByThis(situation) && pending.kind === "parked" && !pending.equalsLatest;
  return isRaced && provider?.pending === "accepted"
    ? { kind: "publish", rotation: rotationIn(situation) }
    : undefined;
}

/** Whoever was first has put away what the other one had parked a moment before. */
function reopenCandidate(situation: Situation): Action | undefined {
  return situation.seen.pending.kind === "none"
    ? { kind: "reopen-pending", rotation: rotationIn(situation) }
    : undefined;
}

/** Only after the candidate has shown that the published value is ours: tags alone prove nothing. */
function setAgain(situation: Situation): Action | undefined {
  const { pending } = situation.seen;
  const isOurs = isParkedByThis(situation) && pending.kind === "parked" && pending.equalsLatest;
  return isOurs ? { kind: "repair", rotation: rotationIn(situation) } : undefined;
}

function askForWorkingValue({ rules }: Situation): Action {
  return stop(
    "foreign-version",
    `the provider rejects the latest version of ${rules.key}, and that is not the value keyturn made; ` +
      "store a value that works, then ask again",
  );
}

/** Where somebody stored a version while we published, only the parked copy tells that latest is ours. */
function settleCandidate(situation: Situation): Action | undefined {
  const { between = [] } = situation.latest;
  return isParkedByThis(situation) && between.length === 0
    ? { kind: "settle-pending", rotation: rotationIn(situation) }
    : undefined;
}

function isParkedByThis(situation: Situation): boolean {
  const { pending } = situation.seen;
  return pending.kind === "parked" && pending.rotation === rotationIn(situation);
}

function rotationIn({ latest }: Situation): string {
  return latest.record.rotation ?? "";
}

/** Whoever has not followed a leak by its deadline is not waited for. */
function isInTime({ seen, latest, rules }: Situation): boolean {
  return !isLeakLate(seen, latest, rules);
}

function hasUnconfirmed({ seen }: Situation): boolean {
  return (seen.dependents?.unconfirmed ?? []).length > 0;
}

function hasNoFailedRestart({ seen, latest }: Situation): boolean {
  return seen.request?.trigger !== "roll-failed" || isLeaked(latest);
}

function roll({ seen }: Situation): Action {
  return { kind: "roll", groups: seen.dependents?.unconfirmed ?? [] };
}

function rollBack(): Action {
  return { kind: "write-intent", mode: "rolling-back" };
}

/** It may still be the failure that was the reason for going back. */
function mayStillBeTheFirstFailure({ seen, latest, rules }: Situation): boolean {
  return seen.now < latest.createdAt + 2 * rules.deadline;
}

function askForReaders({ seen, rules }: Situation): Action {
  return stop(
    "cannot-roll-back",
    `${seen.dependents?.unconfirmed.length} container group(s) do not come up on the restored value of ${rules.key} either; ` +
      `bring them up, or confirm each: keyturn resolve ${rules.key} --confirm GROUP`,
  );
}

function waitForOverlap(situation: Situation): Action | undefined {
  const until = overlapEnd(situation);
  return situation.seen.now < until ? { kind: "wait", until, reason: "overlap" } : undefined;
}

/** Whoever cannot be found may still hold the old credential. */
function askForMissing({ seen, rules: { key } }: Situation): Action | undefined {
  const lost = seen.dependents?.lost ?? 0;
  if (lost === 0) return undefined;
  return stop(
    "dependents-missing",
    `${lost} container group(s) that read ${key} when it was published cannot be found any more, and the policy has not ` +
      "changed; bring their tags back, take them out of the policy, or confirm each that is gone: " +
      `keyturn resolve ${key} --confirm GROUP`,
  );
}
