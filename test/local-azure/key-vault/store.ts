import { randomUUID } from "node:crypto";
import { Refusal } from "../http.ts";
import type { DeletedSecretState, SecretState, SecretVersionState, VaultState } from "../state.ts";
import type { SetRequest, UpdateRequest } from "./requests.ts";

/** What Azure keeps a deleted secret for when nothing else was said at the vault's creation. */
export const recoverableDays = 90;

/** Operations on the secrets of one vault. `now` is in whole Unix seconds. All throw a `Refusal` as Azure answers. */
export function setSecret(
  vault: VaultState,
  name: string,
  request: SetRequest,
  now: number,
): SecretVersionState {
  refuseDeleted(vault, name, now);
  const version: SecretVersionState = {
    version: randomUUID().replaceAll("-", ""),
    value: request.value,
    contentType: request.contentType ?? undefined,
    tags: { ...request.tags },
    enabled: request.attributes?.enabled ?? true,
    created: now,
    updated: now,
    nbf: request.attributes?.nbf ?? undefined,
    exp: request.attributes?.exp ?? undefined,
  };
  checkPolicy(vault, version, now);
  const key = name.toLowerCase();
  const secret = vault.secrets.get(key) ?? { name, versions: [] };
  secret.versions.push(version);
  vault.secrets.set(key, secret);
  return version;
}

/** Changes what the request names; tags given replace all tags. */
export function updateVersion(
  vault: VaultState,
  version: SecretVersionState,
  request: UpdateRequest,
  now: number,
): void {
  const { attributes } = request;
  const next = {
    contentType: request.contentType ?? version.contentType,
    tags: request.tags ? { ...request.tags } : version.tags,
    enabled: attributes?.enabled ?? version.enabled,
    nbf: attributes?.nbf ?? version.nbf,
    exp: attributes?.exp ?? version.exp,
    updated: now,
  };
  checkPolicy(vault, next, now);
  Object.assign(version, next);
}

export function findSecret(vault: VaultState, name: string): SecretState {
  const secret = vault.secrets.get(name.toLowerCase());
  if (!secret) throw notFound(name);
  return secret;
}

/** The named version, or the latest one; never an older one instead of a disabled latest. */
export function findVersion(vault: VaultState, name: string, version?: string): SecretVersionState {
  const { versions } = findSecret(vault, name);
  const found = version ? versions.find((one) => one.version === version) : versions.at(-1);
  if (!found) throw notFound(version ? `${name}/${version}` : name);
  return found;
}

export function deleteSecret(vault: VaultState, name: string, now: number): DeletedSecretState {
  const secret = findSecret(vault, name);
  const deleted = { ...secret, deletedDate: now, scheduledPurgeDate: now + recoverableDays * 24 * 3600 };
  vault.secrets.delete(name.toLowerCase());
  vault.deleted.set(name.toLowerCase(), deleted);
  return deleted;
}

export function findDeleted(vault: VaultState, name: string, now: number): DeletedSecretState {
  const deleted = vault.deleted.get(name.toLowerCase());
  if (!deleted || deleted.scheduledPurgeDate <= now) {
    throw new Refusal(404, "SecretNotFound", `Deleted Secret not found: ${name}`);
  }
  return deleted;
}

export function recoverSecret(vault: VaultState, name: string, now: number): SecretState {
  const { versions, name: original } = findDeleted(vault, name, now);
  const secret = { name: original, versions };
  vault.deleted.delete(name.toLowerCase());
  vault.secrets.set(name.toLowerCase(), secret);
  return secret;
}

export function purgeSecret(vault: VaultState, name: string, now: number): void {
  findDeleted(vault, name, now);
  if (vault.purgeProtection) {
    const message = "Operation 'purge' is not allowed because purge protection is enabled for this vault.";
    throw new Refusal(403, "Forbidden", message, { inner: "ForbiddenByPurgeProtection" });
  }
  vault.deleted.delete(name.toLowerCase());
}

/** Puts a backed-up secret back. @throws Refusal 409 if the name is taken */
export function restoreSecret(vault: VaultState, secret: SecretState, now: number): void {
  refuseDeleted(vault, secret.name, now);
  if (vault.secrets.has(secret.name.toLowerCase())) {
    throw new Refusal(409, "Conflict", `A secret with the name ${secret.name} already exists.`);
  }
  vault.secrets.set(secret.name.toLowerCase(), secret);
}

function refuseDeleted(vault: VaultState, name: string, now: number): void {
  const deleted = vault.deleted.get(name.toLowerCase());
  if (!deleted || deleted.scheduledPurgeDate <= now) return;
  const message =
    `Secret ${name} is currently in a deleted but recoverable state, and its name cannot be reused; ` +
    "in this state, the secret can only be recovered or purged.";
  throw new Refusal(409, "Conflict", message, { inner: "ObjectIsDeletedButRecoverable" });
}

/** The built-in policies for secrets when their effect is Deny: all of them look at the write's own attributes. */
function checkPolicy(
  { policy }: VaultState,
  version: Pick<SecretVersionState, "contentType" | "exp">,
  now: number,
): void {
  const { exp, contentType } = version;
  const broken =
    (policy?.requireExpiry && exp === undefined && "Secrets should have an expiration date") ||
    (policy?.requireContentType && !contentType && "Secrets should have content type set") ||
    (policy?.maxValidity !== undefined &&
      (exp === undefined || exp - now > policy.maxValidity) &&
      "Secrets should have the specified maximum validity period");
  if (!broken) return;
  throw new Refusal(403, "Forbidden", `Operation is disallowed by Azure Policy: ${broken}.`, {
    inner: "ForbiddenByPolicy",
  });
}

function notFound(id: string): Refusal {
  const message =
    `A secret with (name/id) ${id} was not found in this key vault. If you recently deleted this secret you may ` +
    "be able to recover it using the correct recovery command.";
  return new Refusal(404, "SecretNotFound", message);
}
