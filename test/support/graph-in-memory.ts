import type { Clock } from "../../src/clock.ts";
import { systemClock } from "../../src/clock.ts";
import { createGraph, type Graph } from "../../src/azure/graph/graph.ts";
import type { GraphOptions } from "../../src/azure/graph/call.ts";
import { createAuthority } from "../local-azure/authority.ts";
import { createGraph as createService } from "../local-azure/graph.ts";
import { inMemoryCredential, inMemoryHttpClient } from "../local-azure/in-memory-client.ts";
import { addApplication, addIdentity } from "../local-azure/resources.ts";
import {
  type ApplicationState,
  type AzureState,
  createState,
  type HttpService,
  type Identity,
} from "../local-azure/state.ts";
import { createTokenAuthority } from "../local-azure/tokens.ts";

export interface GraphInMemory {
  readonly state: AzureState;
  /** Keyturn's own: owner of the application, with the least role. */
  readonly identity: Identity;
  readonly application: ApplicationState;
  readonly graph: Graph;
  /** `METHOD /path` of what came in, in order. */
  readonly calls: readonly string[];
  /** Answers instead of the local Azure if it returns something. */
  intercept: (request: Request) => Promise<Response | undefined>;
  /** A further adapter on the same world. */
  connect(options?: Partial<GraphOptions>): Graph;
  /** A further application that keyturn may change. */
  addApplication(name: string): ApplicationState;
}

/** The adapter on the real pipeline and the local Graph, without sockets. */
export async function graphInMemory(clock: Clock = systemClock): Promise<GraphInMemory> {
  const state = createState(clock);
  const tokens = await createTokenAuthority(state);
  const identity = addIdentity(state, "keyturn");
  state.appRoles.push({ principalId: identity.principalId, role: "Application.ReadWrite.OwnedBy" });
  const calls: string[] = [];
  const seen = (service: HttpService): HttpService => {
    return async (request) => {
      calls.push(`${request.method} ${new URL(request.url).pathname}`);
      return (await world.intercept(request)) ?? (await service(request));
    };
  };
  const routes = new Map([
    ["graph.microsoft.com", seen(createService(state, tokens))],
    ["login.microsoftonline.com", seen(createAuthority(state, tokens))],
  ]);
  const connect = (options: Partial<GraphOptions> = {}) =>
    createGraph({
      credential: inMemoryCredential(tokens, identity),
      graph: "https://graph.microsoft.com",
      authority: "https://login.microsoftonline.com",
      scope: "https://graph.microsoft.com/.default",
      client: {
        httpClient: inMemoryHttpClient(routes),
        retryOptions: { retryDelayInMs: 1, maxRetryDelayInMs: 2 },
      },
      ...options,
    });
  const add = (name: string) => addApplication(state, name, [identity.principalId]);
  const world: GraphInMemory = {
    state,
    identity,
    application: add("orders-api"),
    graph: connect(),
    calls,
    intercept: async () => undefined,
    connect,
    addApplication: add,
  };
  return world;
}
