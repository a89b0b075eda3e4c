import type { SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import type { DerivedPolicy, SecretPolicy } from "../../policy/policy.ts";
import { endOf, textOf } from "../model/derived-text.ts";
import { dueAt } from "../model/due.ts";
import type { DerivedFacts } from "../model/observation.ts";
import type { DerivedSecret, Snapshot } from "../model/snapshot.ts";
import { type RotationPorts, vaultOf } from "../ports.ts";
import { lineageOf, restoredBy } from "../record/lineage.ts";
import { readable } from "../record/newest.ts";
import { rotationId } from "../record/rotation-id.ts";
import { readRecord } from "../record/tags.ts";

/** Looks at everything that is derived from this secret. */
export async function observeDerived(
  secret: SecretPolicy,
  observed: Snapshot,
  ports: Pick<RotationPorts, "vaults">,
  signal: AbortSignal,
): Promise<Snapshot> {
  const derived: DerivedSecret[] = [];
  for (const policy of secret.derived) {
    derived.push(await observeOne(policy, { secret, observed, ports, signal }));
  }
  const facts = derived.map(({ policy, state }) => ({ key: policy.key, state }));
  return { ...observed, derived, facts: { ...observed.facts, derived: facts } };
}

interface Family {
  readonly secret: SecretPolicy;
  readonly observed: Snapshot;
  readonly ports: Pick<RotationPorts, "vaults">;
  readonly signal: AbortSignal;
}

async function observeOne(policy: DerivedPolicy, family: Family): Promise<DerivedSecret> {
  const { ports, signal } = family;
  const vault = vaultOf(policy, ports.vaults);
  const { stored, disabled } = await readable(vault.latest(policy.name, signal));
  const versions = stored ? await vault.versions(policy.name, signal) : [];
  const restored = stored && restoredBy(stored, versions);
  const state = disabled ? "disabled" : await stateOf(policy, stored, versions, family);
  return { policy, state, stored, restored };
}

async function stateOf(
  policy: DerivedPolicy,
  stored: StoredSecret | undefined,
  versions: readonly SecretVersion[],
  family: Family,
): Promise<DerivedFacts["state"]> {
  const { secret, observed } = family;
  const wanted = textOf(secret, policy, observed.latest);
  if (!wanted) return "unknown";
  if (!stored) return "missing";
  if (stored.value.equals(wanted)) return endsBeforeParent(stored, family) ? "behind" : "current";
  const before = textOf(secret, policy, observed.replaced);
  const isKnown = before !== undefined && stored.value.equals(before);
  return isKnown || (await isWrittenByUs(stored, versions, family)) ? "behind" : "foreign";
}

/** Due although its parent is not: it gets the parent's expiry, so that it is not announced once more. */
function endsBeforeParent(stored: StoredSecret, { secret, observed }: Family): boolean {
  const { latest, facts } = observed;
  if (!latest || stored.expiresAt === undefined) return false;
  const isDue = ({ createdAt, expiresAt }: SecretVersion) =>
    dueAt({ createdAt, expiresAt }, secret) <= facts.now;
  return stored.expiresAt < endOf(latest.stored, secret.validity) && isDue(stored) && !isDue(latest.stored);
}

/**
 * Whether keyturn wrote it for an earlier version of the parent: its tags name the rotation of one, and the version
 * right before it. Tags that somebody has copied forward name another predecessor.
 */
async function isWrittenByUs(
  stored: StoredSecret,
  versions: readonly SecretVersion[],
  { secret, ports, signal }: Family,
): Promise<boolean> {
  const { rotation, from } = readRecord(stored.tags);
  if (rotation === undefined) return false;
  const parents = await vaultOf(secret, ports.vaults).versions(secret.name, signal);
  const rotations = parents.map(({ version }) => rotationId(secret.vault.id, secret.name, version));
  if (!rotations.includes(rotation)) return false;
  return from === undefined
    ? versions.length === 1
    : lineageOf(stored, versions, () => rotation).lineage === "ours";
}
