import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { Containers } from "./container-instances.ts";
import { azureError, ConnectionCut, Refusal, withFaults } from "./http.ts";
import { serveKeys } from "./keys/resource-manager.ts";
import { type ArmEnv, requireApiVersion, requireToken, routePath } from "./resource-manager/arm.ts";
import { serveContainerGroups } from "./resource-manager/container-groups.ts";
import { serveDirectory } from "./resource-manager/directory.ts";
import { serveMetadata } from "./resource-manager/metadata.ts";
import { type AnswerOptions, serveOperations } from "./resource-manager/operations.ts";
import type { AzureState, HttpService } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

export interface ResourceManagerOptions {
  /** How long-running calls are answered; its fields may be changed at any time. */
  readonly answers?: AnswerOptions;
  /** How many container groups a list answers at once. Default 100. */
  readonly pageSize?: number;
  /** Base URL of the authority that `/metadata/endpoints` names. Default: Resource Manager itself. */
  readonly authority?: string;
}

/**
 * Azure Resource Manager, as far as container groups, resources with keys, and the tools that handle them need it: tokens and roles are
 * checked, long-running calls are long-running, errors have Azure's shape. Left out: deployments, locks, tags API,
 * resource lists, deleting resource groups, other resource types than those above.
 */
export function createResourceManager(
  state: AzureState,
  tokens: TokenAuthority,
  containers: Containers,
  options: ResourceManagerOptions = {},
): HttpService {
  const app = new Hono<ArmEnv>({ getPath: routePath });
  app.use(async (context, next) => {
    await next();
    context.header("x-ms-request-id", randomUUID());
    context.header("x-ms-correlation-request-id", randomUUID());
  });
  serveMetadata(app, options.authority);
  app.use(requireToken(state, tokens), requireApiVersion);
  const operations = serveOperations(app, state, options.answers ?? {});
  serveContainerGroups({ app, state, containers, operations, pageSize: options.pageSize ?? 100 });
  serveDirectory(app, state);
  serveKeys(app, state);
  app.notFound(() => azureError(404, "InvalidResourceType", "The local Azure has nothing at this address."));
  app.onError((error) => {
    if (error instanceof ConnectionCut) throw error;
    return error instanceof Refusal
      ? error.response()
      : azureError(500, "InternalServerError", String(error.stack));
  });
  return withFaults(state, "resource-manager", async (request) => await app.fetch(request));
}
