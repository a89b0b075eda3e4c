import type { SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import { parse } from "../../rotators/secret-text.ts";
import type { VersionFacts } from "../model/observation.ts";
import type { ReadVersion } from "../model/snapshot.ts";
import { readRecord } from "../record/tags.ts";

/** Where there are no slots, the id is not in the text either: our record may name it, and the provider confirm it. */
export function readVersion(secret: SecretPolicy, stored: StoredSecret | undefined): ReadVersion | undefined {
  if (!stored) return undefined;
  const parsed = parse(secret.rotator, secret.template, stored.value);
  const id = parsed?.id || (secret.rotator.slots.length === 0 && readRecord(stored.tags).credential) || "";
  return { stored, credential: parsed && { ...parsed, id } };
}

export function versionFacts(version: SecretVersion, held: ReadVersion | undefined): VersionFacts {
  return {
    version: version.version,
    enabled: version.enabled,
    createdAt: version.createdAt,
    expiresAt: version.expiresAt,
    record: readRecord(version.tags),
    credentialId: held?.credential?.id,
  };
}

/**
 * Whose credential a version holds that cannot be read. A tag is believed as far as the policy confirms it: it can only
 * name one of the policy's credentials.
 */
export function claimedId({ rotator }: SecretPolicy, { tags }: SecretVersion): string | undefined {
  const { credential } = readRecord(tags);
  if (rotator.slots.length === 0) return credential ?? "";
  return rotator.overlap === "single" ? rotator.slots[0] : rotator.slots.find((slot) => slot === credential);
}
