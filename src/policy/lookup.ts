import type { GroupId } from "../azure/container-instances.ts";
import type { Policy, SecretPolicy, VaultPolicy } from "./policy.ts";
import { isWithin, normaliseId, parseResourceId, resourceTypes } from "./resource-id.ts";

/**
 * The secret to be rotated for this name: itself, or the one it is derived from. Key Vault compares vault and secret
 * names without regard to case, so this does too. `vault` is the short name.
 */
export function findSecret(policy: Policy, vault: string, name: string): SecretPolicy | undefined {
  return findSecretByKey(policy, `${vault}/${name}`);
}

/** @param key `vault/name` */
export function findSecretByKey(policy: Policy, key: string): SecretPolicy | undefined {
  const wanted = key.toLowerCase();
  return policy.secrets.find((secret) => namesOf(secret).includes(wanted));
}

/** Of the secret and of all that is derived from it. */
function namesOf({ key, derived }: SecretPolicy): string[] {
  return [key, ...derived.map((child) => child.key)].map((name) => name.toLowerCase());
}

/** By its ARM resource id, as Event Grid names it. */
export function findVaultById(policy: Policy, id: string): VaultPolicy | undefined {
  const wanted = normaliseId(id);
  return policy.vaults.find((vault) => vault.id === wanted);
}

/**
 * Whether keyturn may touch this container group: a well-formed id, in one of the scopes, and not our own. To be asked
 * of every id that came from outside the policy, such as a discovered one.
 */
export function isInScope(policy: Policy, group: GroupId): boolean {
  const parsed = parseResourceId(group);
  if (parsed?.type !== resourceTypes.containerGroup || parsed.id === policy.self) return false;
  return policy.scopes.some((scope) => isWithin(parsed.id, scope));
}
