import type { Context, MiddlewareHandler } from "hono";
import { authenticate, Refusal } from "../http.ts";
import { isAllowed } from "../roles.ts";
import type { AzureState } from "../state.ts";
import type { Claims, TokenAuthority } from "../tokens.ts";

/** What every route finds in its context. */
export interface ArmEnv {
  Variables: { claims: Claims };
}

export const audiences = ["https://management.azure.com", "https://management.core.windows.net"];

/**
 * The path that routes are matched against: ARM does not mind case, and the Azure CLI sends an empty segment where a
 * resource has no parent (`/providers/Microsoft.ContainerInstance//containerGroups/x`).
 */
export function routePath(request: Request): string {
  return `/${segmentsOf(request.url).join("/")}`.toLowerCase();
}

/** The segments of the path of a URL, or of an id, as the caller wrote them. */
export function segmentsOf(url: string): string[] {
  return new URL(url, "https://localhost").pathname.split("/").filter(Boolean).map(decodeURIComponent);
}

/** 401 without a good token for Resource Manager, as ARM words it. */
export function requireToken(state: AzureState, tokens: TokenAuthority): MiddlewareHandler<ArmEnv> {
  return async (context, next) => {
    const answer = await authenticate(tokens, context.req.raw, audiences);
    if ("refused" in answer) {
      const missing = !context.req.header("authorization");
      const reason = missing ? "The 'Authorization' header is missing." : answer.refused;
      const challenge = `Bearer authorization_uri="https://login.windows.net/${state.tenantId}", error="invalid_token"`;
      throw new Refusal(401, missing ? "AuthenticationFailed" : "InvalidAuthenticationToken", reason, {
        headers: { "www-authenticate": challenge },
      });
    }
    context.set("claims", answer.claims);
    await next();
  };
}

export const requireApiVersion: MiddlewareHandler<ArmEnv> = async (context, next) => {
  if (!/^\d{4}-\d{2}-\d{2}(-\w+)?$/.test(context.req.query("api-version") ?? "")) {
    const message = "The api-version query parameter (?api-version=) is required for all requests.";
    throw new Refusal(400, "MissingApiVersionParameter", message);
  }
  await next();
};

/** @throws Refusal 403 before anything is said about whether the resource exists, as ARM does */
export function authorise(state: AzureState, context: Context<ArmEnv>, action: string, scope: string): void {
  const { oid } = context.get("claims");
  if (isAllowed(state, oid, action, scope)) return;
  const message =
    `The client '${oid}' with object id '${oid}' does not have authorization to perform action '${action}' over ` +
    `scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`;
  throw new Refusal(403, "AuthorizationFailed", message);
}

/** @throws Refusal 404 for a subscription other than ours */
export function requireSubscription(state: AzureState, subscription: string): void {
  if (subscription.toLowerCase() === state.subscriptionId) return;
  throw new Refusal(404, "SubscriptionNotFound", `The subscription '${subscription}' could not be found.`);
}

/** @throws Refusal 404 */
export function requireResourceGroup(state: AzureState, name: string): void {
  if (resourceGroupsOf(state).has(name.toLowerCase())) return;
  throw new Refusal(404, "ResourceGroupNotFound", `Resource group '${name}' could not be found.`);
}

/** Those made by PUT, and those that something lives in or that a role was given for; by name in lower case. */
export function resourceGroupsOf(state: AzureState): Map<string, string> {
  const ids = [
    ...[...state.groups.values()].map(({ id }) => id),
    ...[...state.vaults.values()].map(({ id }) => id),
    ...[...state.keyedResources.values()].map(({ id }) => id),
    ...[...state.identities.values()].map(({ resourceId }) => resourceId),
    ...state.roleAssignments.map(({ scope }) => scope),
  ];
  const names = ids.flatMap((id) => /\/resourceGroups\/([^/]+)/i.exec(id)?.[1] ?? []);
  const made = [...state.resourceGroups.values()].map(({ name }) => name);
  return new Map([...names, ...made].map((name) => [name.toLowerCase(), name]));
}
