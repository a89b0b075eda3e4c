import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock, type Millis } from "../../src/clock.ts";
import { createAuthority } from "./authority.ts";
import { createControl } from "./control.ts";
import { azureError } from "./http.ts";
import { createIdentityEndpoint, isUserAssigned } from "./identity.ts";
import { createKeyVault } from "./key-vault.ts";
import * as ids from "./resource-ids.ts";
import * as resources from "./resources.ts";
import { queueId, startServiceBus } from "./service-bus/server.ts";
import { serveHttp, type HttpServer, type ServeOptions } from "./serve.ts";
import {
  createState,
  type AzureState,
  type EmitVaultEvent,
  type EventSubscription,
  type HttpService,
  type Identity,
  type QueueState,
  type VaultState,
} from "./state.ts";
import { createCertificates, type Certificates } from "./tls.ts";
import { createTokenAuthority, type TokenAuthority } from "./tokens.ts";

export interface AzureOptions {
  readonly clock?: Clock;
  /** Fixed ports; whatever is left out gets a free one. */
  readonly ports?: Partial<Record<"resourceManager" | "authority" | "control" | "serviceBus", number>>;
  /** From a write with less than 30 days to live to its `SecretNearExpiry`. Default 1 s. */
  readonly nearExpiryDelay?: Millis;
}

/** A running local Azure. Closing ends everything that it started and removes its folder. */
export interface LocalAzure extends AsyncDisposable {
  readonly state: AzureState;
  readonly tokens: TokenAuthority;
  readonly ca: Certificates["ca"];
  readonly urls: Readonly<Record<"resourceManager" | "authority" | "control", string>>;
  /** `localhost:<port>` of the one Service Bus namespace. */
  readonly serviceBusHost: string;
  /** A user-assigned identity with an endpoint of its own, and the environment that makes an SDK use it. */
  addIdentity(name: string, options?: { port?: number }): Promise<IdentityWithEnvironment>;
  /** Environment of a process that carries all these identities, on an endpoint of its own. */
  environmentFor(principalIds: string | readonly string[]): Promise<Record<string, string>>;
  addVault(name: string, options?: resources.VaultOptions & { port?: number }): Promise<VaultState>;
  addQueue(name: string, options?: resources.QueueOptions): QueueState;
  /** @throws Error for a role or principal that does not exist */
  grant(principalId: string, role: string, scope: string): void;
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
  const { ports = {}, nearExpiryDelay } = options;
  const state = createState(options.clock ?? systemClock);
  const tokens = await createTokenAuthority(state);
  const folder = await mkdtemp(join(tmpdir(), "keyturn-azure-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { ca, ...tls } = await createCertificates(folder);
  const serve = createServe(stack.use(new AsyncDisposableStack()));

  const serviceBus = await startServiceBus(state, tokens, { ...tls, port: ports.serviceBus });
  stack.defer(() => serviceBus.close());
  const serviceBusHost = `localhost:${serviceBus.port}`;
  const authority = await serve(createAuthority(state, tokens), { tls, port: ports.authority });
  const resourceManager = await serve(notThere, { tls, port: ports.resourceManager });
  const control = await serve(createControl({ state, emit, serviceBus }), { port: ports.control });
  const urls = { resourceManager: resourceManager.url, authority: authority.url, control: control.url };

  const environmentFor = async (principalIds: string | readonly string[], port?: number) => {
    const held = () => [principalIds].flat().flatMap((id) => state.identities.get(id) ?? []);
    const { url } = await serve(createIdentityEndpoint(state, tokens, held), { port });
    return identityEnvironment(url, held(), ca.file);
  };
  const close = () => stack.disposeAsync();
  return {
    ...stateVerbs(state),
    state,
    tokens,
    ca,
    urls,
    serviceBusHost,
    close,
    [Symbol.asyncDispose]: close,
    workerEnvironment: () => workerEnvironment(state, { urls, serviceBusHost }),
    environmentFor: (principalIds) => environmentFor(principalIds),
    async addIdentity(name, { port } = {}) {
      const identity = resources.addIdentity(state, name);
      return { identity, env: await environmentFor(identity.principalId, port) };
    },
    async addVault(name, { port, ...vaultOptions } = {}) {
      const vault = resources.addVault(state, name, vaultOptions);
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

/** Serves and closes with `stack`, which may be given more to close while it is open. */
function createServe(stack: AsyncDisposableStack) {
  return async (service: HttpService, options: ServeOptions): Promise<HttpServer> => {
    const server = await serveHttp(service, options);
    stack.defer(server.close);
    return server;
  };
}

function stateVerbs(
  state: AzureState,
): Pick<LocalAzure, "addQueue" | "grant" | "subscribe" | "vaultId" | "groupId" | "queueId"> {
  return {
    addQueue: (name, options) => resources.addQueue(state, name, options),
    grant: (principalId, role, scope) => resources.grant(state, principalId, role, scope),
    subscribe: (subscription) => void state.eventSubscriptions.push(subscription),
    vaultId: (name, resourceGroup) => ids.vaultId(state, name, resourceGroup),
    groupId: (resourceGroup, name) => ids.groupId(state, resourceGroup, name),
    queueId: (name) => queueId(state, name),
  };
}

/** What makes an unmodified SDK ask this endpoint and trust the services. A system-assigned identity has no client id to name. */
function identityEnvironment(url: string, held: readonly Identity[], caFile: string): Record<string, string> {
  const only = held.length === 1 ? held[0] : undefined;
  return {
    AZURE_POD_IDENTITY_AUTHORITY_HOST: url,
    ...(only && isUserAssigned(only) ? { AZURE_CLIENT_ID: only.clientId } : {}),
    NODE_EXTRA_CA_CERTS: caFile,
  };
}

function workerEnvironment(
  state: AzureState,
  { urls, serviceBusHost }: Pick<LocalAzure, "urls" | "serviceBusHost">,
): Record<string, string> {
  const vaults = [...state.vaults.values()].map((vault) => `${vault.name}=${vault.url}`);
  return {
    KEYTURN_RESOURCE_MANAGER: urls.resourceManager,
    KEYTURN_GRAPH: urls.authority,
    KEYTURN_AUTHORITY: urls.authority,
    KEYTURN_VAULTS: vaults.join(","),
    KEYTURN_SERVICEBUS: serviceBusHost,
  };
}

const emit: EmitVaultEvent = () => {};

const notThere: HttpService = async () => azureError(404, "NotFound", "There is nothing here yet.");
