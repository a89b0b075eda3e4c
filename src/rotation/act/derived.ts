import type { SecretVersion } from "../../azure/key-vault.ts";
import { resolveDependents } from "../../dependents/dependents.ts";
import { fingerprintOf } from "../../dependents/fingerprint.ts";
import { Fault } from "../../errors.ts";
import type { SecretValue } from "../../secret-value.ts";
import { textOf } from "../model/derived-text.ts";
import { isOpenPublished } from "../model/predicates.ts";
import type { DerivedSecret } from "../model/snapshot.ts";
import { vaultOf } from "../ports.ts";
import { readRecord, writeRecord } from "../record/tags.ts";
import { refuseIfMoved } from "./publish.ts";
import { type Scene, versionIn } from "./scene.ts";

/** Builds one derived secret from the latest version of its parent, in one write. */
export async function publishDerived(scene: Scene, key: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const child = derivedNamed(scene, key);
  const { policy, stored } = child;
  const parent = versionIn(scene, "latest");
  const value = textOf(secret, policy, parent);
  if (!value) throw new Fault("internal-error", `nothing to derive ${key} from`, { secret: key });
  const dependents = fingerprintOf(policy, await resolveDependents(policy, ports, signal), ports.policy);
  const tags = writeRecord(stored?.tags ?? {}, {
    rotation: rotationOf(scene),
    from: stored?.version,
    credential: parent.credential?.id || undefined,
    restores: await broughtBack(scene, child, value),
    dependents,
    state: "published",
  });
  const { expiresAt } = parent.stored;
  const contentType = policy.contentType ?? stored?.contentType;
  await refuseIfMoved(policy, stored, scene);
  await vaultOf(policy, ports.vaults).publish(
    policy.name,
    { value, expiresAt, notBefore: stored?.notBefore, contentType, tags },
    signal,
  );
}

/**
 * What their old versions hold is dead, as their parent's is: they are disabled. Those are the versions that this
 * rotation has replaced, and any that it wrote more than once.
 */
export async function closeDerived(scene: Scene): Promise<void> {
  const { observed, ports, signal } = scene;
  const rotation = rotationOf(scene);
  for (const { policy, stored } of observed.derived) {
    if (!stored) continue;
    const vault = vaultOf(policy, ports.vaults);
    const versions = await vault.versions(policy.name, signal);
    for (const { version, enabled } of replacedBy(rotation, versions))
      if (enabled && version !== stored.version)
        await vault.update(policy.name, version, { enabled: false }, signal);
    const record = readRecord(stored.tags);
    if (record.state !== "published") continue;
    const tags = writeRecord(stored.tags, { ...record, state: "retired" });
    await vault.update(policy.name, stored.version, { tags }, signal);
  }
}

function replacedBy(rotation: string, versions: readonly SecretVersion[]): SecretVersion[] {
  const written = versions.filter(({ tags }) => readRecord(tags).rotation === rotation);
  const froms = new Set(written.map(({ tags }) => readRecord(tags).from));
  return versions.filter((version) => written.includes(version) || froms.has(version.version));
}

function derivedNamed({ observed }: Scene, key: string): DerivedSecret {
  const child = observed.derived.find(({ policy }) => policy.key === key);
  if (!child) throw new Fault("internal-error", `nothing was read from ${key}`, { secret: key });
  return child;
}

/** The parent's open rotation; where a person wrote the parent, the one that will replace what he wrote. */
function rotationOf({ observed, secret }: Scene): string {
  const { latest } = observed.facts;
  if (latest.kind !== "readable") {
    throw new Fault("internal-error", `${secret.key} cannot be read`, { secret: secret.key });
  }
  return (isOpenPublished(latest) ? latest.record.rotation : undefined) ?? latest.rotation;
}

/** After a roll-back of the parent: the version before, if that is the very text, so that nobody is restarted for it. */
async function broughtBack(
  scene: Scene,
  { policy, stored }: DerivedSecret,
  value: SecretValue,
): Promise<string | undefined> {
  const { ports, signal } = scene;
  const restored = readRecord(versionIn(scene, "latest").stored.tags).restores;
  const from = stored && readRecord(stored.tags).from;
  if (restored === undefined || from === undefined) return undefined;
  const vault = vaultOf(policy, ports.vaults);
  const before = (await vault.versions(policy.name, signal)).find(({ version }) => version === from);
  if (!before?.enabled) return undefined;
  const good = await vault.get(policy.name, before.version, signal);
  return good?.value.equals(value) ? before.version : undefined;
}
