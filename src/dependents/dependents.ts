import type { ContainerGroups, GroupId } from "../azure/container-instances.ts";
import type { Clock } from "../clock.ts";
import { isInScope } from "../policy/lookup.ts";
import type { Policy, SecretPolicy } from "../policy/policy.ts";

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
export type Reader = Pick<SecretPolicy, "key" | "name" | "dependents">;

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

/** A group's tag lists the secrets it reads: `orders-db`, or `prod-kv/orders-db`, separated by commas or blanks. */
export function names(value: string | undefined, secret: Reader): boolean {
  const listed = (value ?? "").toLowerCase().split(/[\s,;]+/);
  return listed.includes(secret.name.toLowerCase()) || listed.includes(secret.key.toLowerCase());
}
