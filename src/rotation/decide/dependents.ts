import type { Action } from "../model/action.ts";
import type { Situation } from "./chain.ts";

/** The groups that gate the retirement and are not on the latest version yet. */
export function rollUnconfirmed({ seen: { dependents } }: Situation): Action | undefined {
  const { unconfirmed = [] } = dependents ?? {};
  return unconfirmed.length > 0 ? { kind: "roll", groups: unconfirmed } : undefined;
}

/** The groups that gate nothing: they come last. */
export function rollOthers({ seen: { dependents } }: Situation): Action | undefined {
  const { others = [] } = dependents ?? {};
  return others.length > 0 ? { kind: "roll", groups: others } : undefined;
}
