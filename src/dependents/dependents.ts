import { createHash } from "node:crypto";
import type { ContainerGroups, GroupId } from "../azure/container-instances.ts";
import type { Clock } from "../clock.ts";
import { isInScope } from "../policy/lookup.ts";
import type { Policy, SecretPolicy } from "../policy/policy.ts";
import { groupFacts, isConfirmed, standing } from "./standing.ts";
import type { Publication } from "./group-facts.ts";

/** A container group that reads a secret, from the policy's list or found by its tag. */
export interface Dependent {
  readonly group: GroupId;
  /** Whether the old credential lives until this group is confirmed. */
  readonly gate: boolean;
  /** Groups to be restarted before this one. */
  readonly after: readonly GroupId[];
}

export interface RolloutPorts {
  readonly policy: Policy;
  readonly groups: ContainerGroups;
  readonly clock: Clock;
}

/** A secret, or one that is derived from it. */
type Reader = Pick<SecretPolicy, "key" | "name" | "dependents">;

/** The policy's groups in its order, then the discovered ones that it does not name; only in scope, never ourselves. */
export async function resolveDependents(
  secret: Reader,
  { policy, groups }: RolloutPorts,
  signal: AbortSignal,
): Promise<Dependent[]> {
  const found = new Map<string, Dependent>();
  const add = (dependent: Dependent) => {
    const key = dependent.group.toLowerCase();
    if (!found.has(key) && isInScope(policy, dependent.group)) found.set(key, dependent);
  };
  for (const entry of secret.dependents) {
    if (entry.kind === "group") add({ group: entry.group, gate: entry.gate, after: entry.after });
  }
  for (const entry of secret.dependents) {
    if (entry.kind !== "discover") continue;
    for (const scope of policy.scopes) {
      for await (const listed of groups.list(scope, signal)) {
        if (names(listed.tags[entry.tag], secret)) add({ group: listed.id, gate: entry.gate, after: [] });
      }
    }
  }
  return [...found.values()];
}

export interface Confirmations {
  /** Gating groups that are not confirmed on this version, */
  readonly unconfirmed: readonly GroupId[];
  /** and how many are. */
  readonly confirmed: number;
  /** Gating groups that are not up, whatever they run on. */
  readonly down: readonly GroupId[];
  /** Groups that gate nothing and are not confirmed either. */
  readonly others: readonly GroupId[];
  /** How many gating groups fewer there are than at the publish, although the policy says the same of them. */
  readonly lost: number;
}

/**
 * Which dependents are not confirmed on this version. `waived`: groups that a person has confirmed; `recorded`: what
 * was written down of the dependents at the publish.
 */
export async function lookAtReaders(
  secret: Reader,
  { waived = [], recorded, ...publication }: Publication & Waivers,
  ports: RolloutPorts,
  signal: AbortSignal,
): Promise<Confirmations> {
  const dependents = await resolveDependents(secret, ports, signal);
  const behind: Dependent[] = [];
  const down: GroupId[] = [];
  for (const dependent of dependents) {
    const facts = groupFacts(dependent.group, await ports.groups.get(dependent.group, signal));
    const where = standing(facts, publication, ports.policy.rollout, ports.clock.now());
    if (facts.phase === "unsettled" && dependent.gate) down.push(dependent.group);
    if (!isConfirmed(where) && !waived.includes(waiverOf(dependent.group))) behind.push(dependent);
  }
  const unconfirmed = behind.filter(({ gate }) => gate).map(({ group }) => group);
  const gating = dependents.filter(({ gate }) => gate).length;
  return {
    unconfirmed,
    confirmed: gating - unconfirmed.length,
    down,
    others: behind.filter(({ gate }) => !gate).map(({ group }) => group),
    lost: lostSince(recorded, recordOf(secret, dependents, ports.policy)),
  };
}

export interface Waivers {
  readonly waived?: readonly string[] | undefined;
  readonly recorded?: string | undefined;
}

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

/** A group that is gone from the policy is nobody's any more; one that is gone although the policy still means it is odd. */
function lostSince(recorded: string | undefined, now: string): number {
  const [before, after] = [recorded?.split(" ") ?? [], now.split(" ")];
  return before[2] === after[2] ? Math.max(0, Number(before[0]) - Number(after[0])) : 0;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A group's tag lists the secrets it reads: `orders-db`, or `prod-kv/orders-db`, separated by commas or blanks. */
export function names(value: string | undefined, secret: Reader): boolean {
  const listed = (value ?? "").toLowerCase().split(/[\s,;]+/);
  return listed.includes(secret.name.toLowerCase()) || listed.includes(secret.key.toLowerCase());
}
