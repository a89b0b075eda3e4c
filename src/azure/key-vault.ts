import type { TokenCredential } from "@azure/core-auth";
import {
  type KeyVaultSecret,
  SecretClient,
  type SecretClientOptions,
  type SecretProperties,
  isRestError,
} from "@azure/keyvault-secrets";
import type { Millis, Timestamp } from "../clock.ts";
import { Fault } from "../errors.ts";
import { SecretValue } from "../secret-value.ts";
import { fillEmptyErrors, refuseLongWaits } from "./pipeline-policies.ts";
import { callVault, once, perTry } from "./vault-call.ts";

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

export interface VaultsOptions {
  readonly credential: TokenCredential;
  /** `false` only for a cloud of the operator's own, whose hosts do not end in the token's resource. */
  readonly verifyChallenge: boolean;
  /** Told of every value that comes from a vault, so that it can be kept out of logs and spans. */
  readonly learn?: (value: SecretValue) => void;
  /** Further options of the SDK: `httpClient`, `tlsOptions`, ... */
  readonly client?: SecretClientOptions;
}

export interface KeyVaultOptions extends VaultsOptions {
  readonly url: string;
  /** Short name, for messages and spans. */
  readonly name: string;
}

const longestRetryAfter: Millis = 10_000;

/** The SDK turns times into a signed 32-bit number of seconds; beyond that they come out negative. */
const lastTime: Timestamp = 0x7fffffff * 1000;

export function createVaults(
  vaults: readonly { readonly name: string; readonly url: string }[],
  options: VaultsOptions,
): Vaults {
  return new Map(vaults.map(({ name, url }) => [name, createKeyVault({ ...options, name, url })]));
}

/** One vault. @internal */
export function createKeyVault(options: KeyVaultOptions): KeyVault {
  const { name: vault, learn } = options;
  const reads = createClient(options, 3);
  const writes = createClient(options, 0);
  const warmUp = once(() => authenticate(writes));
  const call = callVault(vault);

  function read(operation: string, name: string, version: string | undefined, signal?: AbortSignal) {
    return call({ operation, verb: "read", name, version, signal }, async (each) => {
      const found = await unlessMissing(reads.getSecret(name, { ...each, version }));
      return found && toStored(found, learn);
    });
  }

  return {
    latest: (name, signal) => read("latest", name, undefined, signal),
    get: (name, version, signal) => read("get", name, version, signal),
    versions: (name, signal) =>
      call({ operation: "versions", verb: "list the versions of", name, signal }, async (each) => {
        const found = await unlessMissing(collect(reads.listPropertiesOfSecretVersions(name, each)));
        return (found ?? []).map(toVersion);
      }),
    async *list(signal) {
      const pages = reads.listPropertiesOfSecrets({ ...perTry, abortSignal: signal }).byPage();
      for (;;) {
        const page = await call({ operation: "list", verb: "list", signal }, () => pages.next());
        if (page.done) return;
        yield* page.value.map(toListing);
      }
    },
    publish: (name, version, signal) =>
      call({ operation: "publish", verb: "publish", name, signal }, async (each) => {
        const { value, tags, contentType } = version;
        learn?.(value);
        const times = { expiresOn: toDate(version.expiresAt), notBefore: toDate(version.notBefore) };
        await warmUp();
        const properties = { ...each, ...times, contentType, tags: { ...tags } };
        return toVersion((await writes.setSecret(name, value.reveal(), properties)).properties);
      }),
    update: (name, version, { enabled, tags }, signal) =>
      call({ operation: "update", verb: "update", name, version, signal }, async (each) => {
        await warmUp();
        const change = { ...each, enabled, tags: tags && { ...tags } };
        return toVersion(await writes.updateSecretProperties(name, version, change));
      }),
  };
}

function createClient(options: KeyVaultOptions, maxRetries: number): SecretClient {
  return new SecretClient(options.url, options.credential, {
    ...options.client,
    disableChallengeResourceVerification: !options.verifyChallenge,
    retryOptions: { maxRetries },
    // A vault never redirects; following one would carry a value to where it points.
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [
      ...(options.client?.additionalPolicies ?? []),
      { policy: fillEmptyErrors, position: "perCall" },
      { policy: refuseLongWaits(longestRetryAfter), position: "perRetry" },
    ],
  });
}

/**
 * Fetches the client's challenge and token with a request that carries nothing. Some versions of the SDK withhold the
 * body of the first request only, and send the values of concurrent ones before they know whom they talk to.
 */
async function authenticate(client: SecretClient): Promise<void> {
  try {
    await client.listPropertiesOfSecrets(perTry).byPage({ maxPageSize: 1 }).next();
  } catch (error) {
    // Not being allowed to list is an answer to a good token.
    if (!isRestError(error) || error.statusCode !== 403) throw error;
  }
}

/** Only Key Vault's own word counts: a 404 of something in between must not look like a missing secret. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isRestError(error) && error.statusCode === 404 && error.code === "SecretNotFound") return undefined;
    throw error;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function toStored(found: KeyVaultSecret, learn: VaultsOptions["learn"]): StoredSecret {
  if (found.value === undefined)
    throw new Fault("unexpected-response", "Key Vault sent a secret without value");
  const value = new SecretValue(found.value);
  learn?.(value);
  return { ...toVersion(found.properties), value };
}

function toVersion(properties: SecretProperties): SecretVersion {
  const { version } = properties;
  if (!version) throw new Fault("unexpected-response", "Key Vault sent a secret without version");
  return { ...toListing(properties), version };
}

function toListing(properties: SecretProperties): SecretListing {
  const { name, createdOn, expiresOn, notBefore, contentType } = properties;
  if (!createdOn) throw new Fault("unexpected-response", "Key Vault sent a secret without creation time");
  return {
    name,
    enabled: properties.enabled ?? true,
    createdAt: createdOn.getTime(),
    ...(expiresOn && { expiresAt: expiresOn.getTime() }),
    ...(notBefore && { notBefore: notBefore.getTime() }),
    ...(contentType !== undefined && { contentType }),
    tags: { ...properties.tags },
  };
}

function toDate(time: Timestamp | undefined): Date | undefined {
  if (time === undefined) return undefined;
  if (time > lastTime)
    throw new Fault("not-supported", "Key Vault's client cannot write a date after 2038-01-19");
  return new Date(time);
}
