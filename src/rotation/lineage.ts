import type { SecretVersion } from "../azure/key-vault.ts";
import type { Restored } from "../rollout/state.ts";
import { readRecord } from "./record.ts";

export interface Lineage {
  readonly lineage: "ours" | "foreign";
  /** The version that ours replaced. */
  readonly from: SecretVersion | undefined;
}

/**
 * Whether our rotation made this version. The tags must name the rotation of a version that really came right before
 * it: tags can be edited, and other writers copy them forward onto versions of their own. Key Vault keeps whole
 * seconds and lists in no order, so versions of one second are all taken as possible predecessors.
 */
export function lineageOf(
  latest: SecretVersion,
  versions: readonly SecretVersion[],
  idOf: (version: string) => string,
): Lineage {
  const { rotation, from } = readRecord(latest.tags);
  const claimed = versions.find((version) => version.version === from);
  if (!claimed || !rotation || rotation !== idOf(claimed.version)) return foreign;
  const before = versions.filter(
    (other) => other.version !== latest.version && other.createdAt <= latest.createdAt,
  );
  const newest = Math.max(...before.map((version) => version.createdAt));
  return claimed.createdAt === newest ? { lineage: "ours", from: claimed } : foreign;
}

const foreign: Lineage = { lineage: "foreign", from: undefined };

/** When the value that a roll-back brought back was latest before: from its own version to the one taken back. */
export function restoredBy(latest: SecretVersion, versions: readonly SecretVersion[]): Restored | undefined {
  const { restores, from } = readRecord(latest.tags);
  const good = versions.find(({ version }) => version === restores);
  const bad = versions.find(({ version }) => version === from);
  return good && bad && { from: good.createdAt, until: bad.createdAt };
}
