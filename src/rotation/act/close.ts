import { vaultOf } from "../ports.ts";
import { readRecord, type VersionRecord, writeRecord } from "../record/tags.ts";
import { settlePending } from "./candidate.ts";
import { closeDerived } from "./derived.ts";
import { changeRecord } from "./record.ts";
import { versionIn, type Scene } from "./scene.ts";

/** The old credential is dead (or there was none): its version is disabled, then the rotation is marked as closed. */
export async function close(scene: Scene): Promise<void> {
  const { secret, observed, ports, signal } = scene;
  const vault = vaultOf(secret, ports.vaults);
  const { replaced } = observed.facts;
  await closeDerived(scene);
  const old = observed.replaced?.stored;
  if (replaced?.enabled && old) {
    // In the same write, so that it can be told from a version that somebody has disabled before it was revoked.
    const tags = writeRecord(old.tags, { ...replaced.record, state: "revoked" });
    await vault.update(secret.name, replaced.version, { enabled: false, tags }, signal);
  }
  const { from } = readRecord(versionIn(scene, "latest").stored.tags);
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
  return { from: versionIn(scene, "latest").stored.version, intent, hold };
}

export async function enable(
  { secret, ports, signal }: Scene,
  version: string,
  enabled: boolean,
): Promise<void> {
  await vaultOf(secret, ports.vaults).update(secret.name, version, { enabled }, signal);
}
