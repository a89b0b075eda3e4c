import type { Timestamp } from "../../clock.ts";
import type { SecretRules } from "./action.ts";

/** When this version should be replaced: `rotateBefore` its expiry, or its age if it has none. */
export function dueAt(
  latest: { createdAt: Timestamp; expiresAt: Timestamp | undefined },
  rules: Pick<SecretRules, "validity" | "rotateBefore">,
): Timestamp {
  return (latest.expiresAt ?? latest.createdAt + rules.validity) - rules.rotateBefore;
}
