import type { HttpClient } from "@azure/core-rest-pipeline";
import { systemClock } from "../../src/clock.ts";
import { createKeyVault, type KeyVault, type VaultsOptions } from "../../src/azure/key-vault.ts";
import { inMemoryCredential, inMemoryHttpClient } from "../local-azure/in-memory-client.ts";
import { createKeyVault as createService } from "../local-azure/key-vault.ts";
import { addIdentity, addVault, grant } from "../local-azure/resources.ts";
import { createState, type AzureState, type HttpService, type Identity } from "../local-azure/state.ts";
import { createTokenAuthority } from "../local-azure/tokens.ts";

export interface VaultInMemory {
  readonly state: AzureState;
  readonly identity: Identity;
  readonly vault: KeyVault;
  /** What came in, in order: `METHOD /path`, whether with a token, and the body. */
  readonly requests: readonly SeenRequest[];
  /** Answers instead of the vault if it returns something. */
  intercept: (request: Request) => Promise<Response | undefined>;
  /** A second adapter on the same vault. */
  connect(options?: Partial<VaultsOptions>): KeyVault;
}

interface SeenRequest {
  readonly call: string;
  readonly authorized: boolean;
  readonly body: string;
}

/** The adapter on the real SDK, on the local Azure's vault, without sockets. */
export async function vaultInMemory(role = "Keyturn Secrets"): Promise<VaultInMemory> {
  const state = createState(systemClock);
  const tokens = await createTokenAuthority(state);
  const identity = addIdentity(state, "worker");
  const vaultState = addVault(state, "prod-kv");
  grant(state, identity.principalId, role, vaultState.id);
  const service = createService(state, tokens, vaultState, {
    emit: () => undefined,
    authority: "https://login.microsoftonline.com",
  });
  const requests: SeenRequest[] = [];
  const handle: HttpService = async (request) => {
    const body = await request.clone().text();
    const call = `${request.method} ${new URL(request.url).pathname}`;
    requests.push({ call, authorized: request.headers.has("authorization"), body });
    return (await world.intercept(request)) ?? (await service.handle(request));
  };
  const httpClient: HttpClient = inMemoryHttpClient(new Map([["prod-kv.vault.azure.net", handle]]));
  const connect = (options: Partial<VaultsOptions> = {}) =>
    createKeyVault({
      name: "prod-kv",
      url: vaultState.url,
      credential: inMemoryCredential(tokens, identity),
      verifyChallenge: true,
      client: { httpClient },
      ...options,
    });
  const world: VaultInMemory = {
    state,
    identity,
    requests,
    vault: connect(),
    connect,
    intercept: async () => undefined,
  };
  return world;
}
