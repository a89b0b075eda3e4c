import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock, type Millis } from "../../src/clock.ts";
import { withArmLimits } from "./arm-limits.ts";
import { createAuthority } from "./authority.ts";
import { type Containers, type ContainersOptions, createContainers } from "./container-instances.ts";
import { startProcess } from "./container-process.ts";
import { createControl } from "./control.ts";
import { createEventGrid } from "./event-grid.ts";
import { createGraph } from "./graph.ts";
import { createEnvironments } from "./identity-environment.ts";
import { createDataPlane, hasDataPlane } from "./keys/data-plane.ts";
import { addKeyedResource, type KeyedResourceOptions } from "./keys/resources.ts";
import type { KeyedResourceState } from "./keys/state.ts";
import { createKeyVault } from "./key-vault.ts";
import { startPostgresLogin } from "./postgres-login.ts";
import { createResourceManager, type ResourceManagerOptions } from "./resource-manager.ts";
import * as ids from "./resource-ids.ts";
import * as resources from "./resources.ts";
import { queueId, type ServiceBusServer, startServiceBus } from "./service-bus/server.ts";
import { createServe } from "./serve.ts";
import {
  type ApplicationState,
  type AppRoleAssignment,
  createState,
  type AzureState,
  type EmitVaultEvent,
  type EventSubscription,
  type Identity,
  type QueueState,
  type VaultState,
} from "./state.ts";
import { createCertificates, type Certificates } from "./tls.ts";
import { createTokenAuthority, type TokenAuthority } from "./tokens.ts";

export interface AzureOptions {
  readonly clock?: Clock;
  /** Fixed ports; whatever is left out gets a free one. */
  readonly ports?: Partial<
    Record<"resourceManager" | "authority" | "graph" | "control" | "serviceBus" | "postgresLogin", number>
  >;
  /** From a write with less than 30 days to live to its `SecretNearExpiry`. Default 1 s. */
  readonly nearExpiryDelay?: Millis;
  readonly containers?: Partial<Omit<ContainersOptions, "environmentFor">>;
  readonly arm?: ResourceManagerOptions;
}

/** A running local Azure. Closing ends everything that it started and removes its folder. */
export interface LocalAzure extends AsyncDisposable {
  readonly state: AzureState;
  readonly tokens: TokenAuthority;
  readonly ca: Certificates["ca"];
  /** Key and certificate of `localhost`, for further servers. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly urls: Readonly<Record<"resourceManager" | "authority" | "graph" | "control", string>>;
  /** Emits an event of a vault as the vault itself would. */
  readonly emit: EmitVaultEvent;
  readonly containers: Containers;
  readonly serviceBus: ServiceBusServer;
  /** `localhost:<port>` of the one Service Bus namespace. */
  readonly serviceBusHost: string;
  /** Where a PostgreSQL asks, over LDAP, whether a token is good for a role. */
  readonly postgresLoginPort: number;
  /** A user-assigned identity with an endpoint of its own, and the environment that makes an SDK use it. */
  addIdentity(name: string, options?: { port?: number }): Promise<IdentityWithEnvironment>;
  /** Environment of a process that carries all these identities, on an endpoint of its own. */
  environmentFor(principalIds: string | readonly string[]): Promise<Record<string, string>>;
  addVault(name: string, options?: resources.VaultOptions & { port?: number }): Promise<VaultState>;
  /**
   * A resource with two keys: `Microsoft.Storage/storageAccounts/orders`, or a rule of a namespace. The service that takes
   * the keys is served, if the local Azure has it.
   */
  addKeyedResource(path: string, options?: KeyedResourceOptions): Promise<KeyedResourceState>;
  addQueue(name: string, options?: resources.QueueOptions): QueueState;
  /** @throws Error for a role or principal that does not exist */
  grant(principalId: string, role: string, scope: string): void;
  /** An Entra application with its service principal. */
  addApplication(name: string, owners?: readonly string[], ids?: resources.ApplicationIds): ApplicationState;
  /** Gives a principal one of Microsoft Graph's app roles. */
  grantAppRole(principalId: string, role: AppRoleAssignment["role"]): void;
  subscribe(subscription: EventSubscription): void;
  /** Endpoints as the worker takes them with `cloud: custom`. */
  workerEnvironment(): Record<string, string>;
  vaultId(name: string, resourceGroup?: string): string;
  groupId(resourceGroup: string, name: string): string;
  queueId(name: string): string;
  close(): Promise<void>;
}

export interface IdentityWithEnvironment {
  readonly identity: Identity;
  readonly env: Record<string, string>;
}

/** Starts the local Azure on loopback, empty: no identity, no vault, no queue. */
export async function startAzure(options: AzureOptions = {}): Promise<LocalAzure> {
  const stack = new AsyncDisposableStack();
  try {
    return await compose(stack, options);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function compose(stack: AsyncDisposableStack, options: AzureOptions): Promise<LocalAzure> {
  const core = await startServices(stack, options);
  const { state, tokens, tls, urls, serve, environmentFor, emit } = core;
  const close = () => stack.disposeAsync();
  return {
    ...stateVerbs(state),
    ...core,
    close,
    [Symbol.asyncDispose]: close,
    workerEnvironment: () => workerEnvironment(core),
    environmentFor: (principalIds) => environmentFor([principalIds].flat()),
    async addIdentity(name, { port } = {}) {
      const identity = resources.addIdentity(state, name);
      return { identity, env: await environmentFor([identity.principalId], port) };
    },
    async addKeyedResource(path, keyOptions) {
      const resource = addKeyedResource(state, path, keyOptions);
      if (hasDataPlane(resource.type))
        resource.endpoint = (await serve(createDataPlane(state, resource), { tls })).url;
      return resource;
    },
    async addVault(name, { port, ...vaultOptions } = {}) {
      const vault = resources.addVault(state, name, vaultOptions);
      const { nearExpiryDelay } = options;
      const service = createKeyVault(state, tokens, vault, {
        emit,
        nearExpiryDelay,
        authority: urls.authority,
      });
      stack.defer(service.close);
      vault.url = (await serve(service.handle, { tls, port })).url;
      return vault;
    },
  };
}

/** Opens everything in the order of its needs; `stack` closes it in reverse. */
async function startServices(stack: AsyncDisposableStack, options: AzureOptions) {
  const { ports = {} } = options;
  const state = createState(options.clock ?? systemClock);
  const tokens = await createTokenAuthority(state);
  const folder = await mkdtemp(join(tmpdir(), "keyturn-azure-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { ca, ...tls } = await createCertificates(folder, process.env.NODE_EXTRA_CA_CERTS);
  // Servers that are added later belong to this stack too, so that containers always end before what they talk to.
  const serve = createServe(stack.use(new AsyncDisposableStack()));

  const serviceBus = await startServiceBus(state, tokens, { ...tls, port: ports.serviceBus });
  stack.defer(() => serviceBus.close());
  const emit = createEventGrid(state, (queue, message) => serviceBus.deliver(queue, message));
  stack.defer(() => emit.close());
  const postgresLogin = await startPostgresLogin(state, tokens, { port: ports.postgresLogin });
  stack.defer(() => postgresLogin.close());
  const authority = await serve(createAuthority(state, tokens), { tls, port: ports.authority });
  const graph = await serve(createGraph(state, tokens), { tls, port: ports.graph });
  const environmentFor = createEnvironments(state, tokens, serve, ca.file);
  const containers = createContainers(state, {
    run: startProcess,
    ...options.containers,
    environmentFor: (principalIds) => environmentFor(principalIds),
  });
  stack.defer(() => containers.close());
  const arm = createResourceManager(state, tokens, containers, { authority: authority.url, ...options.arm });
  const resourceManager = await serve(withArmLimits(state, arm), { tls, port: ports.resourceManager });
  const control = await serve(createControl({ state, emit, serviceBus }), { port: ports.control });
  return {
    state,
    tokens,
    ca,
    tls,
    serve,
    environmentFor,
    emit,
    containers,
    serviceBus,
    serviceBusHost: `localhost:${serviceBus.port}`,
    postgresLoginPort: postgresLogin.port,
    urls: {
      resourceManager: resourceManager.url,
      authority: authority.url,
      graph: graph.url,
      control: control.url,
    },
  };
}

function stateVerbs(
  state: AzureState,
): Pick<
  LocalAzure,
  "addQueue" | "grant" | "addApplication" | "grantAppRole" | "subscribe" | "vaultId" | "groupId" | "queueId"
> {
  return {
    addApplication: (name, owners, known) => resources.addApplication(state, name, owners, known),
    grantAppRole: (principalId, role) => void state.appRoles.push({ principalId, role }),
    addQueue: (name, options) => resources.addQueue(state, name, options),
    grant: (principalId, role, scope) => resources.grant(state, principalId, role, scope),
    subscribe: (subscription) => void state.eventSubscriptions.push(subscription),
    vaultId: (name, resourceGroup) => ids.vaultId(state, name, resourceGroup),
    groupId: (resourceGroup, name) => ids.groupId(state, resourceGroup, name),
    queueId: (name) => queueId(state, name),
  };
}

function workerEnvironment({
  state,
  urls,
  serviceBusHost,
}: Pick<LocalAzure, "state" | "urls" | "serviceBusHost">): Record<string, string> {
  const vaults = [...state.vaults.values()].map((vault) => `${vault.name}=${vault.url}`);
  return {
    KEYTURN_RESOURCE_MANAGER: urls.resourceManager,
    KEYTURN_GRAPH: urls.graph,
    KEYTURN_AUTHORITY: urls.authority,
    KEYTURN_VAULTS: vaults.join(","),
    KEYTURN_SERVICEBUS: serviceBusHost,
  };
}
