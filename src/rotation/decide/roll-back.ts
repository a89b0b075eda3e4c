import { type Action, pause, type SecretRules, stop } from "../model/action.ts";
import type { Observation } from "../model/observation.ts";

export function noWayBack({ dependents }: Observation, { key }: SecretRules): Action {
  if (!dependents) return { kind: "observe", what: "dependents" };
  // They have come up on the new value after all: nothing is wrong any more.
  if (dependents.unconfirmed.length === 0) return { kind: "drop-intent" };
  return stop(
    "cannot-roll-back",
    `${key} was to be rolled back, but the replaced value is gone or refused by the provider; ` +
      "bring its dependents up on the latest version, or store a value that works",
  );
}

/**
 * Backwards, never forwards: the provider accepts the replaced value (set there again if there is only one credential),
 * then that value is published as a new version, which the dependents follow as they follow any other.
 */
export function rollBack(seen: Observation, rules: SecretRules): Action {
  const { provider, replaced } = seen;
  if (!replaced?.enabled || replaced.credentialId === undefined) return noWayBack(seen, rules);
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.replaced === "unknown") return pause(seen);
  if (provider.replaced === "accepted") return { kind: "restore" };
  return rules.rotator.overlap === "single" && rules.rotator.origin === "chosen"
    ? { kind: "set-back", to: "replaced" }
    : noWayBack(seen, rules);
}
