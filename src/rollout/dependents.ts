import { createHash } from "node:crypto";
import type { ContainerGroups, GroupId } from "../azure/container-instances.ts";
import type { Clock } from "../clock.ts";
import { isInScope } from "../policy/lookup.ts";
import type { Policy, SecretPolicy } from "../policy/policy.ts";
import { groupFacts, isConfirmed, standing } from "./evidence.ts";
import type { Publication } from "./state.ts";

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

/** Which gating dependents are not confirmed on this version. */
export async function unconfirmedDependents(
  secret: Reader,
  publication: Publication,
  ports: RolloutPorts,
  signal: AbortSignal,
): Promise<{ unconfirmed: string[]; confirmed: number }> {
  const gating = (await resolveDependents(secret, ports, signal)).filter(({ gate }) => gate);
  const unconfirmed: string[] = [];
  for (const { group } of gating) {
    const facts = groupFacts(group, await ports.groups.get(group, signal));
    const where = standing(facts, publication, ports.policy.rollout, ports.clock.now());
    if (!isConfirmed(where)) unconfirmed.push(group);
  }
  return { unconfirmed, confirmed: gating.length - unconfirmed.length };
}

/** Count and digest of the group ids, as recorded at publish time. */
export function dependentsDigest(dependents: readonly Dependent[]): string {
  const ids = dependents.map(({ group }) => group.toLowerCase()).toSorted();
  return `${ids.length} ${createHash("sha256").update(ids.join("\n")).digest("hex").slice(0, 32)}`;
}

/** A group's tag lists the secrets it reads: `orders-db`, or `prod-kv/orders-db`, separated by commas or blanks. */
function names(value: string | undefined, secret: Reader): boolean {
  const listed = (value ?? "").toLowerCase().split(/[\s,;]+/);
  return listed.includes(secret.name.toLowerCase()) || listed.includes(secret.key.toLowerCase());
}
