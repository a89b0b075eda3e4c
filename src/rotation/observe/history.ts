import type { KeyVault, SecretVersion } from "../../azure/key-vault.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import type { VersionFacts } from "../model/observation.ts";
import type { ReadVersion } from "../model/snapshot.ts";
import { overtakenBy, provenLineage } from "../record/lineage.ts";
import { readable } from "../record/newest.ts";
import { rotationId } from "../record/rotation-id.ts";
import { readRecord } from "../record/tags.ts";
import { readVersion, versionFacts } from "./credential.ts";

/** An older version that matters still, and its value as long as that can be read. */
export interface Earlier {
  readonly version: SecretVersion;
  readonly held: ReadVersion | undefined;
}

/** What came before latest. */
export interface History {
  readonly lineage: "ours" | "foreign";
  readonly between: readonly string[];
  readonly replaced: Earlier | undefined;
  readonly overtaken: Earlier | undefined;
}

export interface Present {
  readonly secret: SecretPolicy;
  readonly vault: KeyVault;
  readonly versions: readonly SecretVersion[];
  readonly latest: ReadVersion | undefined;
  readonly pending: ReadVersion | undefined;
}

/** Whose version is latest, and which older ones a rotation has not done with. */
export async function observeHistory(present: Present, signal: AbortSignal): Promise<History> {
  const { lineage, between = [], from, ours } = await origin(present, signal);
  const read = async (version: SecretVersion | undefined): Promise<Earlier | undefined> => {
    if (!version) return undefined;
    if (!version.enabled || isClosed(present, lineage)) return { version, held: undefined };
    // Somebody may have disabled it since the versions were listed; that tells the same as the list would.
    const { stored } = await readable(present.vault.get(present.secret.name, version.version, signal));
    return { version, held: readVersion(present.secret, stored) };
  };
  return {
    lineage,
    between: between.map(({ version }) => version),
    replaced: await read(from),
    overtaken: await read(ours),
  };
}

interface Origin {
  readonly lineage: "ours" | "foreign";
  readonly between?: readonly SecretVersion[];
  readonly from?: SecretVersion | undefined;
  /** What we had published, and somebody stored latest on top of. */
  readonly ours?: SecretVersion;
}

async function origin(present: Present, signal: AbortSignal): Promise<Origin> {
  const { secret, vault, versions, latest, pending } = present;
  if (!latest) return { lineage: "foreign" };
  const idOf = (version: string) => rotationId(secret.vault.id, secret.name, version);
  const read = async (version: string) => (await readable(vault.get(secret.name, version, signal))).stored;
  const { lineage, from, claimed } = await provenLineage(latest.stored, versions, idOf, read);
  if (lineage === "ours") return { lineage, from };
  if (claimed && equalsParked(latest, pending)) return { lineage: "ours", ...claimed };
  const overtaken = overtakenBy(latest.stored, versions, idOf);
  if (overtaken) return isOpen(overtaken) ? { lineage, ...overtaken } : { lineage };
  const parkedFor = pending && readRecord(pending.stored.tags).rotation;
  const before = versions.find(({ version }) => idOf(version) === parkedFor);
  return { lineage, from: before?.version === latest.stored.version ? undefined : before };
}

/** The very value that this rotation had parked: whoever has copied our tags onto another value has not got that. */
function equalsParked({ stored }: ReadVersion, pending: ReadVersion | undefined): boolean {
  const parked = pending?.stored;
  if (!parked?.value || !stored.value?.equals(parked.value)) return false;
  return readRecord(parked.tags).rotation === readRecord(stored.tags).rotation;
}

function isOpen({ ours, from }: { ours: SecretVersion; from: SecretVersion }): boolean {
  return ours.enabled || from.enabled;
}

function isClosed({ latest }: Present, lineage: History["lineage"]): boolean {
  return lineage === "ours" && latest !== undefined && readRecord(latest.stored.tags).state === "retired";
}

export function factsOf(earlier: Earlier | undefined): VersionFacts | undefined {
  return earlier && versionFacts(earlier.version, earlier.held);
}
