import type { Clock } from "../../src/clock.ts";
import type { ApplicationState, AppRoleAssignment } from "./entra-state.ts";
import type { CallRecord, FaultRule } from "./fault-rule.ts";
import type { KeyedResourceState } from "./keys/state.ts";

export type { ApplicationState, AppRoleAssignment, PasswordState } from "./entra-state.ts";
export type { FaultRule } from "./fault-rule.ts";

/**
 * Everything the local Azure knows. Services are functions over this one object, so that a test can look at it, and so
 * that the same services run on sockets or in memory, on real or virtual time.
 */
export interface AzureState {
  readonly clock: Clock;
  readonly tenantId: string;
  readonly subscriptionId: string;
  /** By principal id (`oid`). */
  readonly identities: Map<string, Identity>;
  readonly roleAssignments: RoleAssignment[];
  /** By name in lower case: those made by PUT; others exist because something is in them. */
  readonly resourceGroups: Map<string, ResourceGroupState>;
  /** Entra applications, by object id. */
  readonly applications: Map<string, ApplicationState>;
  /** Microsoft Graph's app roles that a principal holds. */
  readonly appRoles: AppRoleAssignment[];
  /** Milliseconds until a new client secret works. Entra takes seconds; tests want none, or many. */
  passwordDelay: number;
  /** PostgreSQL role name -> principal id of the identity that may log in as it with a token. */
  readonly postgresRoles: Map<string, string>;
  /** By vault name. */
  readonly vaults: Map<string, VaultState>;
  /** Resources with keys, by id in lower case. */
  readonly keyedResources: Map<string, KeyedResourceState>;
  /** By resource id in lower case. */
  readonly groups: Map<string, GroupState>;
  /** By queue name. */
  readonly queues: Map<string, QueueState>;
  readonly eventSubscriptions: EventSubscription[];
  readonly faults: FaultRule[];
  /** Documented limits are enforced only when switched on. */
  limits: boolean;
  /** Seconds that a new token lives. Managed identities get 24 hours; tests want less. */
  tokenLifetime: number;
  /** Every call that was answered, newest last, at most 10,000; never with a value in it. */
  readonly calls: CallRecord[];
}

export interface Identity {
  readonly name: string;
  /** `oid` of its tokens, and user name at Redis. */
  readonly principalId: string;
  readonly clientId: string;
  /** ARM id of the user-assigned identity or of the resource that carries a system-assigned one (`xms_mirid`). */
  readonly resourceId: string;
}

interface RoleAssignment {
  readonly principalId: string;
  /** Name of a role in `roles.ts`. */
  readonly role: string;
  /** ARM id; the role holds there and below. */
  readonly scope: string;
}

interface ResourceGroupState {
  readonly name: string;
  readonly location: string;
  tags: Record<string, string>;
}

export interface VaultState {
  readonly name: string;
  /** ARM id. */
  readonly id: string;
  /** Where it is served, without trailing slash; set when the service listens. */
  url: string;
  /** By secret name in lower case. */
  readonly secrets: Map<string, SecretState>;
  readonly deleted: Map<string, DeletedSecretState>;
  /** What a built-in Azure Policy with effect Deny would demand of every write; `undefined` = nothing. */
  policy?: VaultPolicy;
  /** A vault with purge protection refuses to purge. */
  purgeProtection?: boolean;
}

export interface VaultPolicy {
  readonly requireExpiry?: boolean;
  readonly requireContentType?: boolean;
  /** Seconds between the write and `exp`. */
  readonly maxValidity?: number;
}

export interface SecretState {
  readonly name: string;
  /** In the order of their creation: the last one is the latest. */
  readonly versions: SecretVersionState[];
}

export interface SecretVersionState {
  readonly version: string;
  value: string;
  contentType: string | undefined;
  tags: Record<string, string>;
  enabled: boolean;
  /** Unix seconds, as on the wire. */
  readonly created: number;
  updated: number;
  nbf: number | undefined;
  exp: number | undefined;
}

export interface DeletedSecretState extends SecretState {
  readonly deletedDate: number;
  readonly scheduledPurgeDate: number;
}

/** A container group as ARM tells it; the processes behind it belong to container-instances.ts. */
export interface GroupState {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  tags: Record<string, string>;
  /** The properties of the PUT, without secure values. */
  properties: GroupProperties;
  identity: { readonly type: string; readonly principalIds: readonly string[] } | undefined;
  provisioningState: string;
  /** `Running`, `Stopped`, `Pending`, `Succeeded`, `Failed`. */
  state: string;
  containers: ContainerState[];
}

export interface GroupProperties {
  readonly containers: readonly { readonly name: string; readonly properties: object }[];
  readonly [other: string]: unknown;
}

export interface ContainerState {
  readonly name: string;
  /** `Waiting`, `Running`, `Terminated`. */
  state: string;
  /** Milliseconds since the epoch. */
  startTime: number | undefined;
  finishTime: number | undefined;
  exitCode: number | undefined;
  restartCount: number;
  pid: number | undefined;
  /** Last lines of stdout and stderr. */
  log: string[];
  /** `CrashLoopBackOff: ...`, `Completed`, `Error`. */
  detailStatus?: string;
  /** How the run before this one ended. */
  previousState?: Pick<ContainerState, "state" | "startTime" | "finishTime" | "exitCode" | "detailStatus">;
  events?: ContainerEvent[];
}

export interface ContainerEvent {
  readonly name: string;
  readonly message: string;
  readonly type: "Normal" | "Warning";
  readonly firstTimestamp: number;
  lastTimestamp: number;
  count: number;
}

export interface QueueState {
  readonly name: string;
  /** Milliseconds. */
  lockDuration: number;
  maxDeliveryCount: number;
  /** An expired message goes to the dead-letter queue instead of away; default false, as in Azure. */
  deadLetterExpired?: boolean;
  /** The last sequence number given out; owned by service-bus. */
  sequence?: number;
  /** Owned by service-bus; a dead-letter queue is the queue named `<name>/$deadletterqueue`. */
  readonly messages: QueueMessage[];
}

export interface QueueMessage {
  readonly sequenceNumber: number;
  readonly messageId: string;
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  readonly subject: string | undefined;
  properties: Record<string, unknown>;
  readonly enqueuedAt: number;
  /** Not delivered before this (scheduled messages). */
  visibleAt: number;
  expiresAt: number | undefined;
  deliveryCount: number;
  state: "active" | "deferred" | "scheduled";
  lock: { token: string; until: number } | undefined;
}

export interface EventSubscription {
  readonly name: string;
  /** ARM id of the vault. */
  readonly source: string;
  /** Queue name. */
  readonly queue: string;
  readonly schema: "CloudEventSchemaV1_0" | "EventGridSchema";
  /** Full type names; empty = all. */
  readonly eventTypes: readonly string[];
  /** How often each event is delivered (duplicates on request); default 1. */
  copies?: number;
  /** Deliver a burst in another order. */
  shuffle?: boolean;
}

/** What the vault and the control endpoint hand to Event Grid; implemented in event-grid.ts. */
export type VaultEvent = {
  readonly type: `Microsoft.KeyVault.Secret${"NewVersionCreated" | "NearExpiry" | "Expired"}`;
  readonly vault: VaultState;
  readonly name: string;
  readonly version: SecretVersionState;
};
export type EmitVaultEvent = (event: VaultEvent) => void;

/** An HTTP service of the local Azure: served on TLS, or handed to an SDK as its HTTP client. */
export type HttpService = (request: Request) => Promise<Response>;

export function createState(
  clock: Clock,
  ids: { tenantId?: string; subscriptionId?: string } = {},
): AzureState {
  return {
    clock,
    tenantId: ids.tenantId ?? "11111111-1111-4111-8111-111111111111",
    subscriptionId: ids.subscriptionId ?? "00000000-0000-4000-8000-000000000001",
    identities: new Map(),
    roleAssignments: [],
    resourceGroups: new Map(),
    applications: new Map(),
    appRoles: [],
    passwordDelay: 0,
    postgresRoles: new Map(),
    vaults: new Map(),
    keyedResources: new Map(),
    groups: new Map(),
    queues: new Map(),
    eventSubscriptions: [],
    faults: [],
    limits: false,
    tokenLifetime: 24 * 3600,
    calls: [],
  };
}
