import { type Action, type SecretRules, stop } from "../model/action.ts";
import type { Observation, ReadableLatest } from "../model/observation.ts";
import { isLeaked, isOpenPublished } from "../model/predicates.ts";
import { afterPublish, isLate } from "./after-publish.ts";
import { atRest, startsByItself } from "./at-rest.ts";
import { beforePublish } from "./before-publish.ts";
import { followLatest } from "./foreign-version.ts";
import { answered, recorded } from "./requests.ts";
import { rollBack } from "./roll-back.ts";
import { standDown } from "./stand-down.ts";

/**
 * Decides the next step of one secret's rotation from what can be seen. Pure and total: same facts, same action, and
 * every action may be repeated, so that a fresh process after a crash goes on where the world stands.
 */
export function nextAction(seen: Observation, rules: SecretRules): Action {
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

function proceed(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
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

function quarantined(seen: Observation, latest: ReadableLatest, rules: SecretRules, code: string): Action {
  const question =
    `the rotation of ${rules.key} was given up: ${code}; mend the cause, then ` +
    `keyturn resolve ${rules.key} --retry${isOpenPublished(latest) ? "" : ", or --abandon"}`;
  return standDown(seen, latest, rules, stop("quarantined", question));
}

function unreadable({ key }: SecretRules): Action {
  return stop(
    "secret-disabled",
    `the latest version of ${key} is disabled, and the rotation that made it is not closed; ` +
      "enable it, and keyturn ends that rotation at once and makes another one",
  );
}
