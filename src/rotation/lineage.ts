import type { SecretVersion } from "../azure/key-vault.ts";
import type { Restored } from "../rollout/state.ts";
import { readRecord } from "./record.ts";

export interface Lineage {
  readonly lineage: "ours" | "foreign";
  /** The version that ours replaced. */
  readonly from: SecretVersion | undefined;
  /**
   * Its tags name the rotation of an older version, but others came in between: either somebody stored them while we
   * published, or somebody copied our tags. Only the candidate's value can tell.
   */
  readonly claimed?: { readonly from: SecretVersion; readonly between: readonly SecretVersion[] };
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
  if (claimed.createdAt === newest) return { lineage: "ours", from: claimed };
  const between = before.filter(({ createdAt }) => createdAt > claimed.createdAt);
  return claimed.createdAt < newest ? { ...foreign, claimed: { from: claimed, between } } : foreign;
}

const foreign: Lineage = { lineage: "foreign", from: undefined };

/** When the value that a roll-back brought back was latest before: from its own version to the one taken back. */
export function restoredBy(latest: SecretVersion, versions: readonly SecretVersion[]): Restored | undefined {
  const { restores, from } = readRecord(latest.tags);
  const good = versions.find(({ version }) => version === restores);
  const bad = versions.find(({ version }) => version === from);
  return good && bad && { from: good.createdAt, until: bad.createdAt };
}

/** The newest version below latest that keyturn published and has not retired: somebody stored latest on top of it. */
export function overtakenBy(
  latest: SecretVersion,
  versions: readonly SecretVersion[],
  idOf: (version: string) => string,
): { readonly ours: SecretVersion; readonly from: SecretVersion } | undefined {
  const below = versions
    .filter(({ version, createdAt }) => version !== latest.version && createdAt <= latest.createdAt)
    .toSorted((a, b) => b.createdAt - a.createdAt);
  const ours = below.find((version) => lineageOf(version, versions, idOf).lineage === "ours");
  if (!ours || readRecord(ours.tags).state !== "published") return undefined;
  const { from } = lineageOf(ours, versions, idOf);
  return from && { ours, from };
}
