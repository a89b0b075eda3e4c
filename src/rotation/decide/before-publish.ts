import { type Action, doesNotFit, pause, stop } from "../model/action.ts";
import { standsAgainstCandidate } from "./before-candidate.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { candidateAnswered, providerObserved } from "./observed.ts";
import { isCandidate } from "./stand-down.ts";

/** A candidate that was rejected this often is made anew. */
const mostRejections = 3;

/** Somebody asked for this version to be replaced: makes a candidate, proves it, publishes it. */
export const beforePublish = firstOf([
  disabledWithoutCredential,
  doesNotFitTemplate,
  providerObserved,
  targetMissing,
  slotUnknown,
  when(hasNoCandidate, standsAgainstCandidate, makeCandidate),
  candidateAnswered,
  when(isRejectedTooOften, makeCandidate),
  publishCandidate,
  when(({ rules }) => rules.rotator.origin === "chosen", applyCandidate),
  waitForYoungCandidate,
  // A minted value that the provider does not have cannot be set there: only another one helps.
  makeCandidate,
]);

/** Its tags do not tell whose credential it is. */
function disabledWithoutCredential({ latest, rules }: Situation): Action | undefined {
  if (latest.enabled || latest.credentialId !== undefined) return undefined;
  return stop(
    "secret-disabled",
    `the latest version of ${rules.key} is disabled, and its tags do not tell whose credential it holds; ` +
      "enable it until keyturn has replaced it",
  );
}

function doesNotFitTemplate({ latest, rules }: Situation): Action | undefined {
  return latest.credentialId === undefined ? doesNotFit(rules) : undefined;
}

function targetMissing({ seen, rules }: Situation): Action | undefined {
  const { missing = [] } = seen.provider ?? {};
  if (missing.length === 0) return undefined;
  return stop("target-missing", `${rules.key}: not found at the provider: ${missing.join(", ")}`);
}

function slotUnknown(situation: Situation): Action | undefined {
  if (freeSlot(situation) !== undefined) return undefined;
  const { key } = situation.rules;
  const id = situation.latest.credentialId;
  return stop(
    "slot-unknown",
    id
      ? `${key}: '${id}' is none of the policy's credentials`
      : `the value of ${key} is none of those that its provider has now; store one that works, then ask again`,
  );
}

/** The slot that the published value does not use; the only one there is for a single credential; `""` without slots. */
function freeSlot({ latest, rules: { rotator } }: Situation): string | undefined {
  const inUse = latest.credentialId;
  if (rotator.slots.length === 0) return "";
  if (inUse === undefined || !rotator.slots.includes(inUse)) return undefined;
  return rotator.overlap === "single" ? inUse : rotator.slots.find((slot) => slot !== inUse);
}

function hasNoCandidate(situation: Situation): boolean {
  const { seen, latest } = situation;
  return !isCandidate(seen.pending, latest.rotation, freeSlot(situation) ?? "");
}

function makeCandidate(situation: Situation): Action {
  const { latest, rules } = situation;
  const kind = rules.rotator.origin === "minted" ? "mint" : "park";
  return { kind, slot: freeSlot(situation) ?? "", rotation: latest.rotation };
}

function isRejectedTooOften({ seen: { pending } }: Situation): boolean {
  return pending.kind === "parked" && pending.refusals >= mostRejections;
}

function publishCandidate({ seen, latest }: Situation): Action | undefined {
  return seen.provider?.pending === "accepted" ? { kind: "publish", rotation: latest.rotation } : undefined;
}

function applyCandidate({ latest }: Situation): Action {
  return { kind: "apply", rotation: latest.rotation };
}

/** A provider of many replicas may not show yet what it has just made. */
function waitForYoungCandidate({ seen, rules }: Situation): Action | undefined {
  const { pending, now } = seen;
  const isYoung = pending.kind === "parked" && now < pending.createdAt + rules.rotator.propagation;
  return isYoung ? pause(seen) : undefined;
}
