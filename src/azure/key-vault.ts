import type { Timestamp } from "../clock.ts";
import type { SecretValue } from "../secret-value.ts";

/** What Key Vault tells of one version of a secret without reading its value. */
export interface SecretVersion {
  readonly name: string;
  /** 32 hexadecimal digits. */
  readonly version: string;
  readonly enabled: boolean;
  /** Key Vault keeps whole seconds, so two versions can share one. */
  readonly createdAt: Timestamp;
  readonly expiresAt?: Timestamp;
  readonly notBefore?: Timestamp;
  readonly contentType?: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface StoredSecret extends SecretVersion {
  readonly value: SecretValue;
}

/** Everything a new version starts with: Key Vault carries nothing over from the version before. */
export interface NewVersion {
  readonly value: SecretValue;
  readonly expiresAt?: Timestamp;
  readonly notBefore?: Timestamp;
  readonly contentType?: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What a list of a vault tells: the latest version's attributes and tags, without its version id. */
export type SecretListing = Omit<SecretVersion, "version">;

/** One vault. Every method throws a `Fault`; a name or version that does not exist is `undefined`, not a fault. */
export interface KeyVault {
  /** What an unversioned read returns. @throws Fault `secret-disabled` if the newest version is disabled */
  latest(name: string, signal?: AbortSignal): Promise<StoredSecret | undefined>;
  /** @throws Fault `secret-disabled` if that version is disabled */
  get(name: string, version: string, signal?: AbortSignal): Promise<StoredSecret | undefined>;
  /** All versions, in no order that may be relied on. Empty if there is no such secret. */
  versions(name: string, signal?: AbortSignal): Promise<SecretVersion[]>;
  /** All secrets of the vault. */
  list(signal?: AbortSignal): AsyncIterable<SecretListing>;
  /** Writes a new version in one call, and never repeats the call by itself: a lost answer would make two versions. */
  publish(name: string, version: NewVersion, signal?: AbortSignal): Promise<SecretVersion>;
  /** Changes attributes of a version; tags given replace all tags, tags left out stay. */
  update(
    name: string,
    version: string,
    change: { enabled?: boolean; tags?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<SecretVersion>;
}

/** The vaults of the policy by their short name (`prod-kv`). Only these can be reached. */
export type Vaults = ReadonlyMap<string, KeyVault>;
