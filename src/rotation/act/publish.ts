import type { NewVersion, SecretVersion } from "../../azure/key-vault.ts";
import { resolveDependents } from "../../dependents/dependents.ts";
import { fingerprintOf } from "../../dependents/fingerprint.ts";
import { Fault } from "../../errors.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import type { SecretValue } from "../../secret-value.ts";
import { rotatorContext, vaultOf } from "../ports.ts";
import { newestOf } from "../record/newest.ts";
import { readRecord, type VersionRecord, writeRecord } from "../record/tags.ts";
import { credentialOf, type Scene, textIn, versionIn } from "./scene.ts";

/** The value of the candidate, its expiry, content type and tags in one write, right after it was seen to work. */
export async function publish(scene: Scene, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const credential = credentialOf(scene, "pending");
  await secret.rotator.verify(credential, rotatorContext(ports, signal));
  const isLeak = readRecord(versionIn(scene, "latest").stored.tags).intent?.mode === "compromised";
  const hold = isLeak ? { leaked: true } : undefined;
  const record: VersionRecord = { rotation, credential: credential.id, state: "published", hold };
  const version = await newVersion(scene, textIn(scene, "pending"), record);
  await refuseIfMoved(secret, versionIn(scene, "latest").stored, scene);
  await vaultOf(secret, ports.vaults).publish(secret.name, version, signal);
}

/**
 * Everything a version carries. The parked candidate carries the same, so that a policy of the vault that would refuse
 * the publish refuses the parking, while nothing has happened yet.
 */
export async function newVersion(
  scene: Scene,
  value: SecretValue,
  record: VersionRecord,
): Promise<NewVersion> {
  const { secret, ports, signal } = scene;
  const { stored } = versionIn(scene, "latest");
  const dependents = fingerprintOf(secret, await resolveDependents(secret, ports, signal), ports.policy);
  return {
    value,
    expiresAt: ports.clock.now() + secret.validity,
    notBefore: stored.notBefore,
    contentType: secret.contentType ?? stored.contentType,
    tags: writeRecord(stored.tags, { ...record, from: stored.version, dependents }),
  };
}

/**
 * Key Vault has no compare-and-set: reading once more right before the write narrows the race, proving it closes it.
 * @throws Fault `superseded` if latest is not what the decision was made on
 */
export async function refuseIfMoved(
  secret: Pick<SecretPolicy, "vault" | "key" | "name">,
  seen: Pick<SecretVersion, "version" | "enabled"> | undefined,
  { ports, signal }: Pick<Scene, "ports" | "signal">,
): Promise<void> {
  const latest = await newestOf(secret.name, vaultOf(secret, ports.vaults), signal);
  if (latest?.version === seen?.version && latest?.enabled === seen?.enabled) return;
  throw new Fault(
    "superseded",
    `somebody stored another version of ${secret.key} meanwhile; reading it again`,
    {
      secret: secret.key,
    },
  );
}
