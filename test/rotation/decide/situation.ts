import type { Situation } from "../../../src/rotation/decide/chain.ts";
import type { SecretRules } from "../../../src/rotation/model/action.ts";
import type { Observation, ReadableLatest } from "../../../src/rotation/model/observation.ts";
import { dual, seen } from "./facts.ts";

/** What one chain is asked, with the latest version in both places where it stands. */
export function situation(
  latest: ReadableLatest,
  change: Partial<Observation> = {},
  rules: SecretRules = dual,
): Situation {
  return { seen: seen({ latest, ...change }), latest, rules };
}
