import { resolveDependents } from "../../dependents/dependents.ts";
import { waiverOf, withOneLess } from "../../dependents/fingerprint.ts";
import { vaultOf } from "../ports.ts";
import { type Hold, type Mode, readRecord, type VersionRecord, writeRecord } from "../record/tags.ts";
import { settlePending } from "./candidate.ts";
import { type Scene, versionIn } from "./scene.ts";

/** Whoever asks anew also lifts what held the rotation; that a value is leaked stays true. A roll asks for none. */
export async function writeIntent(scene: Scene, mode: Mode): Promise<void> {
  const { observed, ports } = scene;
  const requestId = observed.facts.request?.requestId ?? "observe";
  const intent = { mode, requestId, at: ports.clock.now() };
  await changeRecord(scene, (record) => ({
    ...record,
    intent,
    hold: mode === "roll" ? record.hold : lasting(record.hold),
  }));
}

function lasting({ leaked, waived }: Hold = {}): Hold | undefined {
  return leaked || waived ? { ...(leaked && { leaked }), ...(waived && { waived }) } : undefined;
}

/** Writes down that a person has confirmed a group; one that is not there any more is not missed any longer. */
export async function waive(scene: Scene, group: string): Promise<void> {
  const { secret, ports, signal } = scene;
  const dependents = await resolveDependents(secret, ports, signal);
  const isThere = dependents.some((dependent) => dependent.group.toLowerCase() === group.toLowerCase());
  await changeRecord(scene, ({ hold, ...record }) => ({
    ...record,
    hold: { ...hold, waived: [...new Set([...(hold?.waived ?? []), waiverOf(group)])] },
    dependents: isThere ? record.dependents : withOneLess(record.dependents),
  }));
}

/** Changes our tags on the latest version, and nobody else's. */
export async function changeRecord(
  scene: Scene,
  change: (record: VersionRecord) => VersionRecord,
): Promise<void> {
  const { ports, secret, signal } = scene;
  const { stored } = versionIn(scene, "latest");
  const tags = writeRecord(stored.tags, change(readRecord(stored.tags)));
  await vaultOf(secret, ports.vaults).update(secret.name, stored.version, { tags }, signal);
}

export async function dropIntent(scene: Scene): Promise<void> {
  const { observed } = scene;
  if (observed.pending) await settlePending(scene);
  await changeRecord(scene, (record) => ({ ...record, intent: undefined, hold: undefined }));
}
