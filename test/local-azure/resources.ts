import { randomBytes, randomUUID } from "node:crypto";
import type { Millis } from "../../src/clock.ts";
import { identityId, vaultId } from "./resource-ids.ts";
import { isKnownRole } from "./roles.ts";
import type {
  ApplicationState,
  AzureState,
  Identity,
  PasswordState,
  QueueState,
  VaultPolicy,
  VaultState,
} from "./state.ts";

/** What somebody would make in the portal, put straight into the state. */
export function addIdentity(state: AzureState, name: string): Identity {
  const identity: Identity = {
    name,
    principalId: randomUUID(),
    clientId: randomUUID(),
    resourceId: identityId(state, name),
  };
  state.identities.set(identity.principalId, identity);
  return identity;
}

/** For tests that have to know them before there is anything. */
export type ApplicationIds = Partial<Pick<ApplicationState, "objectId" | "appId">>;

/** An application with its service principal in the tenant, and no client secret yet. */
export function addApplication(
  state: AzureState,
  displayName: string,
  owners: readonly string[] = [],
  { objectId = randomUUID(), appId = randomUUID() }: ApplicationIds = {},
): ApplicationState {
  const principalId = randomUUID();
  // A service principal is a principal like any other; it just has no resource behind it.
  state.identities.set(principalId, { name: displayName, principalId, clientId: appId, resourceId: "" });
  const application: ApplicationState = {
    objectId,
    appId,
    displayName,
    owners,
    principalId,
    passwords: [],
    passwordLimit: undefined,
  };
  state.applications.set(application.objectId, application);
  return application;
}

export interface PasswordOptions {
  readonly displayName?: string | null;
  readonly value?: string;
  /** Milliseconds since the epoch; default now, and two years later, as Entra has it. */
  readonly start?: number;
  readonly end?: number;
  readonly worksFrom?: number;
  /** What old client secrets have: no hint. */
  readonly hint?: null;
}

/** A client secret, made in the portal or through Graph. */
export function addPassword(
  state: AzureState,
  application: ApplicationState,
  options: PasswordOptions = {},
): PasswordState {
  const { displayName = null, value = newClientSecret(), start = state.clock.now() } = options;
  const { end = start + twoYears, worksFrom = state.clock.now() } = options;
  const hint = options.hint === null ? null : value.slice(0, 3);
  const password: PasswordState = { keyId: randomUUID(), displayName, hint, value, start, end, worksFrom };
  application.passwords.push(password);
  return password;
}

/** 40 characters of those that Entra uses, the tilde among them. */
function newClientSecret(): string {
  const text = randomBytes(30).toString("base64url").replaceAll("_", "~");
  return `${text.slice(0, 3)}8Q~${text.slice(6)}`;
}

const twoYears: Millis = 2 * 365 * 24 * 3600 * 1000;

export interface VaultOptions {
  readonly resourceGroup?: string;
  readonly policy?: VaultPolicy;
  readonly purgeProtection?: boolean;
}

/** A vault whose `url` is what Azure would give it, until it is served elsewhere. @throws Error for a taken name */
export function addVault(state: AzureState, name: string, options: VaultOptions = {}): VaultState {
  if (state.vaults.has(name)) throw new Error(`there is a vault ${name} already`);
  const { resourceGroup, ...rest } = options;
  const vault: VaultState = {
    ...rest,
    name,
    id: vaultId(state, name, resourceGroup),
    url: `https://${name}.vault.azure.net`,
    secrets: new Map(),
    deleted: new Map(),
  };
  state.vaults.set(name, vault);
  return vault;
}

export interface QueueOptions {
  /** Milliseconds; default 1 min. */
  readonly lockDuration?: Millis;
  readonly maxDeliveryCount?: number;
}

export function addQueue(state: AzureState, name: string, options: QueueOptions = {}): QueueState {
  const { lockDuration = 60_000, maxDeliveryCount = 10 } = options;
  const queue: QueueState = { name, lockDuration, maxDeliveryCount, messages: [] };
  state.queues.set(name, queue);
  return queue;
}

/** @throws Error for a role that roles.ts does not know, or a principal that nobody made */
export function grant(state: AzureState, principalId: string, role: string, scope: string): void {
  if (!isKnownRole(role)) throw new Error(`there is no role ${role}`);
  if (!state.identities.has(principalId)) throw new Error(`there is no principal ${principalId}`);
  state.roleAssignments.push({ principalId, role, scope });
}
