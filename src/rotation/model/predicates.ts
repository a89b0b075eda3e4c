import type { Timestamp } from "../../clock.ts";
import type { Action, SecretRules } from "./action.ts";
import type { DerivedFacts, Observation, ReadableLatest } from "./observation.ts";

/** Published by us and not yet retired: the rotation that made it is still open. */
export function isOpenPublished(latest: ReadableLatest): boolean {
  return latest.lineage === "ours" && latest.record.state !== "retired";
}

export function isLeaked({ record }: ReadableLatest): boolean {
  return record.hold?.leaked === true || record.intent?.mode === "compromised";
}

/** The first derived secret that does not hold what follows from latest; parents come before what is derived from them. */
export function behind({ derived }: Observation): DerivedFacts | undefined {
  return derived?.find(({ state }) => state === "behind" || state === "missing");
}

/** The rotation an action belongs to: the open one, or the one that would replace latest. */
export function rotationOf({ latest }: Observation, action: Action): string {
  if ("rotation" in action) return action.rotation;
  if (latest.kind !== "readable") return "";
  return isOpenPublished(latest) || !latest.record.intent
    ? (latest.record.rotation ?? latest.rotation)
    : latest.rotation;
}

/** A leaked credential lives no longer than `rollout.deadline`, whoever still needs it. */
export function isLate(
  { now }: Observation,
  latest: ReadableLatest,
  { deadline }: Pick<SecretRules, "deadline">,
): boolean {
  return isLeaked(latest) && now >= leakedSince(latest) + deadline;
}

function leakedSince({ record, createdAt }: ReadableLatest): Timestamp {
  return record.intent?.mode === "compromised" ? record.intent.at : createdAt;
}
