import type { FaultCode } from "../../errors.ts";
import { pendingName, vaultOf } from "../ports.ts";
import { readRecord, writeRecord } from "../record/tags.ts";
import { changeRecord } from "./record.ts";
import type { Scene } from "./scene.ts";

/** Counts a step that was refused for good; `isFinal`: nothing more is tried until a person has answered. */
export async function countFailure(scene: Scene, code: FaultCode, isFinal: boolean): Promise<void> {
  await changeRecord(scene, (record) => {
    const failures = (record.hold?.failures ?? 0) + 1;
    const gaveUp = isFinal || failures >= scene.secret.attempts;
    return { ...record, hold: { ...record.hold, failures, ...(gaveUp ? { quarantined: code } : {}) } };
  });
}

/** Counts that the provider refused the candidate although it had taken it. */
export async function countRefusal({ secret, observed, ports, signal }: Scene): Promise<void> {
  const { pending } = observed;
  if (!pending) return;
  const { tags, version } = pending.stored;
  const record = readRecord(tags);
  const hold = { ...record.hold, failures: (record.hold?.failures ?? 0) + 1 };
  const vault = vaultOf(secret, ports.vaults);
  await vault.update(
    pendingName(secret.name),
    version,
    { tags: writeRecord(tags, { ...record, hold }) },
    signal,
  );
}
