import type { SecretVersion, StoredSecret } from "../azure/key-vault.ts";
import type { Restored } from "../rollout/state.ts";
import { readRecord } from "./record.ts";

export interface Lineage {
  readonly lineage: "ours" | "foreign";
  /** The version that our rotation replaced. */
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
  const root = claimed && rotation ? rootOf(claimed, rotation, versions, idOf) : undefined;
  if (!claimed || !root) return foreign;
  const before = versions.filter(
    (other) => other.version !== latest.version && other.createdAt <= latest.createdAt,
  );
  const newest = Math.max(...before.map((version) => version.createdAt));
  return claimed.createdAt === newest ? { lineage: "ours", from: root } : foreign;
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
  latest: StoredSecret,
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
  if (found.lineage === "ours" || twins.length === 0) return found;
  for (const { version, enabled } of twins) {
    const twin = enabled ? await read(version) : undefined;
    if (!twin?.value.equals(latest.value)) return found;
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
