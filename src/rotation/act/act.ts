import { randomInt } from "node:crypto";
import type { NewVersion } from "../../azure/key-vault.ts";
import type { Millis } from "../../clock.ts";
import { Fault } from "../../errors.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import { resolveDependents } from "../../dependents/dependents.ts";
import { recordOf } from "../../dependents/fingerprint.ts";
import type { Credential } from "../../rotators/rotator.ts";
import type { SecretValue } from "../../secret-value.ts";
import { closeChildren, publishChild } from "./derived.ts";
import type { Act } from "../model/action.ts";
import { type Observed } from "../model/snapshot.ts";
import { newestOf } from "../record/newest.ts";
import { vaultOf } from "../ports.ts";
import { labelOf } from "../ports.ts";
import { rotatorContext } from "../ports.ts";
import { pendingName } from "../ports.ts";
import { type RotationPorts } from "../ports.ts";
import { readRecord, type VersionRecord, writeRecord } from "../record/tags.ts";
import { credentialOf, held, type Scene, textIn } from "./scene.ts";
import { changeRecord, dropIntent, settlePending, waive, writeIntent } from "./record.ts";
import { render } from "../../rotators/secret-text.ts";

/** Key Vault announces a version as near its expiry 30 days ahead; a parked candidate shall never be announced. */
const parkedAtLeast: Millis = 31 * 24 * 3600 * 1000;

/** Performs one action on what was observed. Each may be repeated; none decides. @throws Fault */
export async function act(
  action: Act,
  secret: SecretPolicy,
  observed: Observed,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<void> {
  const scene: Scene = { secret, observed, ports, signal };
  switch (action.kind) {
    case "write-intent":
      return writeIntent(scene, action.mode);
    case "park":
      return park(scene, action.slot, action.rotation);
    case "mint":
      return mint(scene, action.slot, action.rotation);
    case "apply":
      return secret.rotator.apply(credentialOf(scene, "pending"), rotatorContext(ports, signal));
    case "repair":
      return secret.rotator.apply(credentialOf(scene, "latest"), rotatorContext(ports, signal));
    case "publish":
      return publish(scene, action.rotation);
    case "publish-child":
      return publishChild(scene, action.child);
    case "settle-pending":
      return settlePending(scene);
    case "reopen-pending":
      return reopenPending(scene, action.rotation);
    case "revoke":
      return secret.rotator.revoke(action.credentialId, rotatorContext(ports, signal));
    case "close":
      return close(scene);
    case "disable":
      return enable(scene, action.version, false);
    case "reopen":
      return enable(scene, action.version, true);
    case "mark-leaked":
      return changeRecord(scene, (record) => ({ ...record, hold: { ...record.hold, leaked: true } }));
    case "waive":
      return waive(scene, action.group);
    case "set-back":
      return secret.rotator.apply(credentialOf(scene, action.to), rotatorContext(ports, signal));
    case "restore":
      return restore(scene);
    case "drop-intent":
      return dropIntent(scene);
    default:
      return action satisfies never;
  }
}

/** A new version with the replaced value and its expiry: it is due at once, so it waits for a person, or for a while. */
async function restore(scene: Scene): Promise<void> {
  const { secret, observed, ports, signal } = scene;
  const { stored } = held(scene, "replaced");
  const { latest } = observed.facts;
  const rotation = latest.kind === "readable" ? latest.rotation : undefined;
  const notBefore = ports.clock.now() + secret.minInterval + turnOf(scene);
  const credential = credentialOf(scene, "replaced").id;
  const record = {
    rotation,
    credential,
    restores: stored.version,
    state: "published" as const,
    hold: { notBefore },
  };
  const version = await newVersion(scene, textIn(scene, "replaced"), record);
  await refuseIfMoved(scene);
  await vaultOf(secret, ports.vaults).publish(
    secret.name,
    { ...version, expiresAt: stored.expiresAt },
    signal,
  );
}

/** Rotations that went wrong together are tried again one after the other: each secret of the policy has its own time. */
function turnOf({ secret, ports: { policy } }: Scene): Millis {
  const each = 2 * policy.rollout.deadline;
  return (
    (policy.secrets.findIndex(({ key }) => key === secret.key) * each) % Math.max(each, secret.minInterval)
  );
}

/** The candidate is durable before the provider hears of it; what is applied later is what a read gives back. */
function park(scene: Scene, slot: string, rotation: string): Promise<void> {
  return keep(scene, scene.secret.rotator.choose(slot, randomInt), rotation);
}

/** The provider makes the value, and it is parked at once: until then only the provider has it. */
async function mint(scene: Scene, slot: string, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const label = `${labelOf(secret)}:${rotation}`;
  const expiresAt = ports.clock.now() + secret.validity;
  const credential = await secret.rotator.mint({ slot, label, expiresAt }, rotatorContext(ports, signal));
  await keep(scene, credential, rotation);
}

async function keep(scene: Scene, credential: Credential, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const value = render(secret.rotator, secret.template, credential);
  const version = await newVersion(scene, value, { rotation, credential: credential.id, state: "parked" });
  const expiresAt = Math.max(version.expiresAt ?? 0, ports.clock.now() + parkedAtLeast);
  await vaultOf(secret, ports.vaults).publish(pendingName(secret.name), { ...version, expiresAt }, signal);
}

async function publish(scene: Scene, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const credential = credentialOf(scene, "pending");
  await secret.rotator.verify(credential, rotatorContext(ports, signal));
  const isLeak = readRecord(held(scene, "latest").stored.tags).intent?.mode === "compromised";
  const hold = isLeak ? { leaked: true } : undefined;
  const record: VersionRecord = { rotation, credential: credential.id, state: "published", hold };
  const version = await newVersion(scene, textIn(scene, "pending"), record);
  await refuseIfMoved(scene);
  await vaultOf(secret, ports.vaults).publish(secret.name, version, signal);
}

/**
 * Everything a version carries. The parked candidate carries the same, so that a policy of the vault that would refuse
 * the publish refuses the parking, while nothing has happened yet.
 */
async function newVersion(scene: Scene, value: SecretValue, record: VersionRecord): Promise<NewVersion> {
  const { secret, ports, signal } = scene;
  const { stored } = held(scene, "latest");
  const dependents = recordOf(secret, await resolveDependents(secret, ports, signal), ports.policy);
  return {
    value,
    expiresAt: ports.clock.now() + secret.validity,
    notBefore: stored.notBefore,
    contentType: secret.contentType ?? stored.contentType,
    tags: writeRecord(stored.tags, { ...record, from: stored.version, dependents }),
  };
}

/** Key Vault has no compare-and-set: looking once more right before the write narrows the race, proving it closes it. */
async function refuseIfMoved(scene: Scene): Promise<void> {
  const { secret, ports, signal } = scene;
  const latest = await newestOf(secret.name, vaultOf(secret, ports.vaults), signal);
  if (latest?.version === held(scene, "latest").stored.version) return;
  throw new Fault("superseded", `another version of ${secret.key} was stored meanwhile; looking again`, {
    secret: secret.key,
  });
}

/** Makes the candidate of a published rotation readable again, to compare it with what is published. */
async function reopenPending(scene: Scene, rotation: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const vault = vaultOf(secret, ports.vaults);
  const name = pendingName(secret.name);
  const versions = await vault.versions(name, signal);
  // Of versions of one second any may be the one that a read gives.
  const newest = Math.max(...versions.map(({ createdAt }) => createdAt));
  const last = versions.filter(({ createdAt }) => createdAt === newest);
  const parked = last.filter(({ tags }) => readRecord(tags).rotation === rotation);
  if (parked.length === 0) {
    throw new Fault(
      "foreign-version",
      `the provider refuses the latest version of ${secret.key}, and keyturn has no candidate to compare it with; ` +
        "store a value that works, then ask again",
      { secret: secret.key },
    );
  }
  for (const { version } of parked) await vault.update(name, version, { enabled: true }, signal);
}

async function enable({ secret, ports, signal }: Scene, version: string, enabled: boolean): Promise<void> {
  await vaultOf(secret, ports.vaults).update(secret.name, version, { enabled }, signal);
}

/** The old credential is dead (or there was none): its version is disabled, then the rotation is marked as closed. */
async function close(scene: Scene): Promise<void> {
  const { secret, observed, ports, signal } = scene;
  const vault = vaultOf(secret, ports.vaults);
  const { replaced } = observed.facts;
  await closeChildren(scene);
  const old = observed.replaced?.stored;
  if (replaced?.enabled && old) {
    // In the same write, so that it can be told from a version that somebody has disabled before it was revoked.
    const tags = writeRecord(old.tags, { ...replaced.record, state: "revoked" });
    await vault.update(secret.name, replaced.version, { enabled: false, tags }, signal);
  }
  const { from } = readRecord(held(scene, "latest").stored.tags);
  // What was published in between, and did not work for long.
  const isMended = isOurs(scene) && replaced !== undefined && from !== undefined && from !== replaced.version;
  if (isMended) await enable(scene, from, false);
  await changeRecord(scene, (record) => ({
    ...(isOurs(scene) ? record : markOf(scene, record)),
    intent: record.intent?.mode === "roll" ? undefined : record.intent,
    state: "retired",
  }));
  if (observed.pending) await settlePending(scene);
}

function isOurs({ observed: { facts } }: Scene): boolean {
  return facts.latest.kind === "readable" && facts.latest.lineage === "ours";
}

/** Our tags on somebody else's version may be copies of others: as closed counts the one whose mark names itself. */
function markOf(scene: Scene, { intent, hold }: VersionRecord): VersionRecord {
  return { from: held(scene, "latest").stored.version, intent, hold };
}
