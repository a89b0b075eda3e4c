import type { SecretVersion } from "../azure/key-vault.ts";
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
