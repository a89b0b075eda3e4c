import { type Action, type SecretRules, stop } from "../model/action.ts";
import { startsAutomatically } from "../model/due.ts";
import type { Observation } from "../model/observation.ts";
import { isLate, isLeaked, isOpenPublished } from "../model/predicates.ts";
import { afterPublish } from "./after-publish.ts";
import { atRest } from "./at-rest.ts";
import { beforePublish } from "./before-publish.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { followForeignVersion } from "./foreign-version.ts";
import { answerRequest } from "./requests.ts";
import { rollBack } from "./roll-back.ts";
import { standDown } from "./stand-down.ts";

/**
 * Decides the next step of one secret's rotation from what was observed. Pure and total: same facts, same action, and
 * every action may be repeated, so that a fresh process after a crash goes on where the world stands.
 */
export function nextAction(seen: Observation, rules: SecretRules): Action {
  const { latest } = seen;
  if (latest.kind === "missing")
    return stop("secret-missing", `${rules.key} does not exist; store its first version, then ask again`);
  if (latest.kind === "disabled")
    return stop(
      "secret-disabled",
      `the latest version of ${rules.key} is disabled; enable it or store a new one`,
    );
  return decide({ seen, latest, rules });
}

/** Which part of a rotation the secret is in. */
const decide = firstOf([
  answerRequest,
  when(isQuarantined, quarantined),
  when(isOpen, openButDisabled, when(isRollingBack, rollBack), afterPublish),
  when(isFollowing, followForeignVersion),
  when(isAsked, beforePublish),
  atRest,
]);

/** It failed too often, and nothing more is tried. A leaked credential is retired in time, whatever else did not work. */
function isQuarantined({ seen, latest, rules }: Situation): boolean {
  const isLeakToEnd = isOpenPublished(latest) && isLate(seen, latest, rules);
  return latest.record.hold?.quarantined !== undefined && !isLeakToEnd;
}

function quarantined(situation: Situation): Action {
  const { latest, rules } = situation;
  const question =
    `the rotation of ${rules.key} was given up: ${latest.record.hold?.quarantined}; mend the cause, then ` +
    `keyturn resolve ${rules.key} --retry${isOpenPublished(latest) ? "" : ", or --abandon"}`;
  return standDown(situation) ?? stop("quarantined", question);
}

/** Published by us, and the old credential is not retired yet. */
function isOpen({ latest }: Situation): boolean {
  return isOpenPublished(latest);
}

function openButDisabled({ latest, rules }: Situation): Action | undefined {
  if (latest.enabled) return undefined;
  return stop(
    "secret-disabled",
    `the latest version of ${rules.key} is disabled, and the rotation that made it is not closed; ` +
      "enable it, and keyturn ends that rotation at once and makes another one",
  );
}

/** There is no way back to a value that is leaked. */
function isRollingBack({ latest }: Situation): boolean {
  return latest.record.intent?.mode === "rolling-back" && !isLeaked(latest);
}

/** Nothing is rotated: the readers move onto a version that somebody else stored. */
function isFollowing({ seen, latest, rules }: Situation): boolean {
  return latest.record.intent?.mode === "roll" && !startsAutomatically(seen, latest, rules);
}

/** Somebody asked for this version to be replaced, or it is due and that is written down. */
function isAsked({ latest }: Situation): boolean {
  const mode = latest.record.intent?.mode;
  return mode === "routine" || mode === "compromised";
}
