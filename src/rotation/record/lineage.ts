import type { SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import type { Restored } from "../../dependents/group-facts.ts";
import type { SecretValue } from "../../secret-value.ts";
import { readRecord } from "./tags.ts";

export interface Lineage {
  readonly lineage: "ours" | "foreign";
  /** The version that our rotation replaced. */
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
  // Tags that somebody has edited may name the version itself.
  const claimed = versions.find(({ version }) => version === from && version !== latest.version);
  const root = claimed && rotation ? rootOf(claimed, rotation, versions, idOf) : undefined;
  if (!claimed || !root) return foreign;
  const before = versions.filter(
    (other) => other.version !== latest.version && other.createdAt <= latest.createdAt,
  );
  const newest = Math.max(...before.map((version) => version.createdAt));
  if (claimed.createdAt === newest) return { lineage: "ours", from: root };
  const between = before.filter(({ createdAt }) => createdAt > claimed.createdAt);
  return claimed.createdAt < newest ? { ...foreign, claimed: { from: root, between } } : foreign;
}

/** The version that a rotation set out to replace; there may be one in between that it published and had to mend. */
function rootOf(
  claimed: SecretVersion,
  rotation: string,
  versions: readonly SecretVersion[],
  idOf: (version: string) => string,
): SecretVersion | undefined {
  if (rotation === idOf(claimed.version)) return claimed;
  const before = readRecord(claimed.tags);
  if (before.rotation !== rotation) return undefined;
  return versions.find(({ version }) => version === before.from && idOf(version) === rotation);
}

/**
 * As `lineageOf`, but two workers may have published the value of one rotation one after the other: the second version
 * is ours as well, which only its value proves, since tags like these may have been copied onto any other value.
 */
export async function provenLineage(
  latest: SecretVersion & { readonly value?: SecretValue },
  versions: readonly SecretVersion[],
  idOf: (version: string) => string,
  read: (version: string) => Promise<StoredSecret | undefined>,
): Promise<Lineage> {
  const found = lineageOf(latest, versions, idOf);
  const { rotation, from } = readRecord(latest.tags);
  const twins = versions.filter(({ version, tags }) => {
    const other = readRecord(tags);
    return version !== latest.version && other.rotation === rotation && other.from === from;
  });
  if (found.lineage === "ours" || rotation === undefined || twins.length === 0) return found;
  for (const { version, enabled } of twins) {
    const twin = enabled ? await read(version) : undefined;
    if (!latest.value || !twin?.value.equals(latest.value)) return found;
  }
  return lineageOf(
    latest,
    versions.filter((version) => !twins.includes(version)),
    idOf,
  );
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
