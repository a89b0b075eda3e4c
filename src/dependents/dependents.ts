import type { ContainerGroups, ContainerGroupView, GroupId } from "../azure/container-instances.ts";
import type { Clock } from "../clock.ts";
import { isInScope } from "../policy/lookup.ts";
import type { DependentPolicy, Policy, SecretPolicy } from "../policy/policy.ts";

/** A container group that reads a secret, from the policy's list or found by its tag. */
export interface Dependent {
  readonly group: GroupId;
  /** Whether the old credential lives until this group is confirmed. */
  readonly gate: boolean;
  /** Groups to be restarted before this one. */
  readonly after: readonly GroupId[];
}

export interface DependentsPorts {
  readonly policy: Policy;
  readonly groups: ContainerGroups;
  readonly clock: Clock;
}

/** A secret, or one that is derived from it. */
export type Reader = Pick<SecretPolicy, "key" | "name" | "dependents">;

/** The policy's groups in its order, then the discovered ones that it does not name; only in scope, never ourselves. */
export async function resolveDependents(
  secret: Reader,
  { policy, groups }: DependentsPorts,
  signal: AbortSignal,
): Promise<Dependent[]> {
  const found = new Map<string, Dependent>();
  const add = (group: GroupId, entry: DependentPolicy) => {
    const key = group.toLowerCase();
    const after = entry.kind === "group" ? entry.after : [];
    if (!found.has(key) && isInScope(policy, group)) found.set(key, { group, gate: entry.gate, after });
  };
  for (const entry of secret.dependents) if (entry.kind === "group") add(entry.group, entry);
  if (!secret.dependents.some(({ kind }) => kind === "discover")) return [...found.values()];
  for (const scope of policy.scopes) {
    for await (const listed of groups.list(scope, signal)) {
      const entry = entryFor(secret, listed);
      if (entry) add(listed.id, entry);
    }
  }
  return [...found.values()];
}

/** The entry of the policy that makes a group a reader: its own list comes before what is discovered. */
export function entryFor(
  reader: Reader,
  { id, tags }: Pick<ContainerGroupView, "id" | "tags">,
): DependentPolicy | undefined {
  const isNamed = (group: GroupId) => group.toLowerCase() === id.toLowerCase();
  const { dependents } = reader;
  return (
    dependents.find((entry) => entry.kind === "group" && isNamed(entry.group)) ??
    dependents.find((entry) => entry.kind === "discover" && names(tags[entry.tag], reader))
  );
}

/** A group's tag lists the secrets it reads: `orders-db`, or `prod-kv/orders-db`, separated by commas or blanks. */
function names(value: string | undefined, secret: Reader): boolean {
  const listed = (value ?? "").toLowerCase().split(/[\s,;]+/);
  return listed.includes(secret.name.toLowerCase()) || listed.includes(secret.key.toLowerCase());
}
