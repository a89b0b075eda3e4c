import { type Action, stop } from "../model/action.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { dependentsObserved, providerObserved, replacedAnswered } from "./observed.ts";
import { isChangedInPlace } from "./own-credentials.ts";

/** The replaced value is gone or rejected, and there is no way to make it work again. */
const noWayBack = firstOf([dependentsObserved, nothingIsWrongAnyMore, askForTheWay]);

/**
 * Backwards, never forwards: the provider accepts the replaced value (set there again if there is only one credential),
 * then that value is published as a new version, which the dependents follow as they follow any other.
 */
export const rollBack = firstOf([
  when(isReplacedGone, noWayBack),
  providerObserved,
  replacedAnswered,
  restoreReplaced,
  when(({ rules }) => isChangedInPlace(rules), setBackToReplaced),
  noWayBack,
]);

/** Disabled, or its text does not tell whose credential it holds. */
function isReplacedGone({ seen: { replaced } }: Situation): boolean {
  return !replaced?.enabled || replaced.credentialId === undefined;
}

function restoreReplaced({ seen: { provider } }: Situation): Action | undefined {
  return provider?.replaced === "accepted" ? { kind: "restore" } : undefined;
}

function setBackToReplaced(): Action {
  return { kind: "set-back", to: "replaced" };
}

/** The readers have come up on the new value after all. */
function nothingIsWrongAnyMore({ seen: { dependents } }: Situation): Action | undefined {
  return dependents?.unconfirmed.length === 0 ? { kind: "drop-intent" } : undefined;
}

function askForTheWay({ rules }: Situation): Action {
  return stop(
    "cannot-roll-back",
    `${rules.key} was to be rolled back, but the replaced value is gone or rejected by the provider; ` +
      "bring its dependents up on the latest version, or store a value that works",
  );
}
