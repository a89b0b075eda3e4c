import { randomUUID } from "node:crypto";
import type { Millis } from "../../src/clock.ts";
import { identityId, vaultId } from "./resource-ids.ts";
import { isKnownRole } from "./roles.ts";
import type { AzureState, Identity, QueueState, VaultPolicy, VaultState } from "./state.ts";

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
