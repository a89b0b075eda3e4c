import type { DeletedSecretState, SecretState, SecretVersionState, VaultState } from "../state.ts";
import { recoverableDays } from "./store.ts";

/** A version as `GET` and `PUT` answer it. */
export function bundle(vault: VaultState, name: string, version: SecretVersionState): object {
  return { value: version.value, ...metadata(vault, name, version) };
}

/** A version without its value, as `PATCH`, lists and deleted secrets answer it. */
export function metadata(vault: VaultState, name: string, version: SecretVersionState): object {
  return { id: `${vault.url}/secrets/${name}/${version.version}`, ...attributesOf(vault, version) };
}

/** What a list of secrets tells: the latest version's attributes under an id without version. */
export function listing(vault: VaultState, secret: SecretState): object {
  const latest = secret.versions.at(-1);
  return {
    id: `${vault.url}/secrets/${secret.name}`,
    ...(latest ? attributesOf(vault, latest) : {}),
  };
}

export function deletedBundle(vault: VaultState, secret: DeletedSecretState): object {
  const latest = secret.versions.at(-1);
  return { ...(latest ? metadata(vault, secret.name, latest) : {}), ...deletion(vault, secret) };
}

export function deletedListing(vault: VaultState, secret: DeletedSecretState): object {
  return { ...listing(vault, secret), ...deletion(vault, secret) };
}

function deletion(vault: VaultState, secret: DeletedSecretState): object {
  return {
    recoveryId: `${vault.url}/deletedsecrets/${secret.name}`,
    deletedDate: secret.deletedDate,
    scheduledPurgeDate: secret.scheduledPurgeDate,
  };
}

function attributesOf(vault: VaultState, version: SecretVersionState): object {
  const { enabled, created, updated, nbf, exp, contentType, tags } = version;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    attributes: {
      enabled,
      ...(nbf === undefined ? {} : { nbf }),
      ...(exp === undefined ? {} : { exp }),
      created,
      updated,
      recoveryLevel: vault.purgeProtection ? "Recoverable" : "Recoverable+Purgeable",
      recoverableDays,
    },
    tags,
  };
}
