import type { SecretVersion } from "../../azure/key-vault.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import type { Request } from "../../request.ts";
import type { Latest, Pending } from "../model/observation.ts";
import type { ReadVersion, Snapshot } from "../model/snapshot.ts";
import { pendingName, type RotationPorts, vaultOf } from "../ports.ts";
import { restoredBy } from "../record/lineage.ts";
import { newestIn, readable } from "../record/newest.ts";
import { rotationId } from "../record/rotation-id.ts";
import { readRecord } from "../record/tags.ts";
import { claimedId, readVersion, versionFacts } from "./credential.ts";
import { factsOf, type History, observeHistory } from "./history.ts";

/** Looks at Key Vault: the latest version, the one it replaced, the candidate. */
export async function observeSecret(
  secret: SecretPolicy,
  request: Request | undefined,
  ports: Pick<RotationPorts, "vaults" | "clock">,
  signal: AbortSignal,
): Promise<Snapshot> {
  const vault = vaultOf(secret, ports.vaults);
  const latest = await readable(vault.latest(secret.name, signal));
  const pending = await readable(vault.latest(pendingName(secret.name), signal));
  const versions = latest.stored || latest.disabled ? await vault.versions(secret.name, signal) : [];
  const shown = latest.disabled ? leakedLatest(versions, request) : undefined;
  const held = {
    latest: latest.stored
      ? readVersion(secret, latest.stored)
      : shown && { stored: shown, credential: undefined },
    pending: readVersion(secret, pending.stored),
  };
  const past = await observeHistory({ secret, vault, versions, ...held }, signal);
  return {
    ...held,
    replaced: past.replaced?.held,
    overtaken: past.overtaken?.held,
    derived: [],
    facts: {
      now: ports.clock.now(),
      request,
      latest: latestFacts(secret, held.latest, latest.disabled, past, versions),
      replaced: factsOf(past.replaced),
      overtaken: factsOf(past.overtaken),
      pending: pendingFacts(held.pending, held.latest),
      provider: undefined,
      derived: secret.derived.length === 0 ? [] : undefined,
      dependents: undefined,
    },
  };
}

/** Whoever disables a leaked version and says so need not enable it again: what has to be known is in its tags. */
function leakedLatest(
  versions: readonly SecretVersion[],
  request: Request | undefined,
): SecretVersion | undefined {
  const newest = newestIn(versions);
  const isAsked = request?.mode === "compromised" && request.version === newest?.version;
  return newest && (isAsked || readRecord(newest.tags).intent?.mode === "compromised") ? newest : undefined;
}

function latestFacts(
  secret: SecretPolicy,
  held: ReadVersion | undefined,
  disabled: boolean,
  { lineage, between }: Pick<History, "lineage" | "between">,
  versions: readonly SecretVersion[],
): Latest {
  if (!held) return { kind: disabled ? "disabled" : "missing" };
  const { stored } = held;
  return {
    kind: "readable",
    lineage,
    first: versions.length <= 1,
    between,
    otherTags: Object.keys(stored.tags).filter((name) => !name.startsWith("keyturn-")).length,
    rotation: rotationId(secret.vault.id, secret.name, stored.version),
    restored: restoredBy(stored, versions),
    ...versionFacts(stored, held),
    ...(stored.enabled ? {} : { credentialId: claimedId(secret, stored) }),
  };
}

function pendingFacts(pending: ReadVersion | undefined, latest: ReadVersion | undefined): Pending {
  if (!pending) return { kind: "none" };
  const record = readRecord(pending.stored.tags);
  return {
    kind: "parked",
    version: pending.stored.version,
    createdAt: pending.stored.createdAt,
    rotation: record.rotation,
    refusals: record.hold?.failures ?? 0,
    credentialId: pending.credential?.id,
    equalsLatest: isSame(latest, pending),
  };
}

function isSame(latest: ReadVersion | undefined, { stored }: ReadVersion): boolean {
  return stored.value !== undefined && latest?.stored.value?.equals(stored.value) === true;
}
