import { createHash } from "node:crypto";
import type { GroupId } from "../azure/container-instances.ts";
import type { Policy } from "../policy/policy.ts";
import type { Dependent, Reader } from "./dependents.ts";

/** Short name of a group that a person has confirmed, for a tag: 12 hexadecimal digits. */
export function waiverOf(group: GroupId): string {
  return digestOf(group.toLowerCase()).slice(0, 12);
}

/** What is written down of the gating groups at the publish: count, digest of their ids, digest of the policy's words. */
export function recordOf(
  { dependents: named }: Reader,
  found: readonly Dependent[],
  { scopes }: Pick<Policy, "scopes">,
): string {
  const ids = found.filter(({ gate }) => gate).map(({ group }) => group.toLowerCase());
  const words = digestOf(JSON.stringify([named, scopes]));
  return `${ids.length} ${digestOf(ids.toSorted().join("\n")).slice(0, 32)} ${words.slice(0, 16)}`;
}

export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A group that is gone from the policy is nobody's any more; one that is gone although the policy still means it is odd. */
export function lostSince(recorded: string | undefined, now: string): number {
  const [before, after] = [recorded?.split(" ") ?? [], now.split(" ")];
  return before[2] === after[2] ? Math.max(0, Number(before[0]) - Number(after[0])) : 0;
}
