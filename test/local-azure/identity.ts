import { Hono } from "hono";
import { withFaults } from "./http.ts";
import type { AzureState, HttpService, Identity } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

/** Who may ask for tokens at one endpoint: what a container group or machine carries. Read at every request. */
export type IdentityHolder = () => readonly Identity[];

/** Resources that exist in every tenant; a token for anything else is refused, as Entra does. */
const resources = new Set([
  "https://vault.azure.net",
  "https://management.azure.com",
  "https://management.core.windows.net",
  "https://servicebus.azure.net",
  "https://graph.microsoft.com",
  "https://storage.azure.com",
  "https://redis.azure.com",
  "https://ossrdbms-aad.database.windows.net",
  "https://database.windows.net",
  "https://monitor.azure.com",
]);

/**
 * The token endpoint of one holder in the wire format of IMDS (`GET`, on a Linux container group or machine) and of
 * Cloud Shell (`POST` of a form, which the Azure CLI uses with `MSI_ENDPOINT`).
 */
export function createIdentityEndpoint(
  state: AzureState,
  tokens: TokenAuthority,
  holder: IdentityHolder,
): HttpService {
  const app = new Hono({ strict: false });
  app.get("/metadata/identity/oauth2/token", async (context) => {
    if (!context.req.query("api-version")) return refuse("Required query variable 'api-version' is missing");
    return await answer(state, tokens, holder(), context.req.raw.headers, context.req.query());
  });
  app.post("/oauth2/token", async (context) => {
    const form = Object.fromEntries(new URLSearchParams(await context.req.text()));
    return await answer(state, tokens, holder(), context.req.raw.headers, form);
  });
  app.notFound(() => Response.json({ error: "Not Found" }, { status: 404 }));
  return withFaults(state, "identity", async (request) => await app.fetch(request));
}

async function answer(
  state: AzureState,
  tokens: TokenAuthority,
  held: readonly Identity[],
  headers: Headers,
  query: Record<string, string | undefined>,
): Promise<Response> {
  if (headers.get("metadata")?.toLowerCase() !== "true")
    return refuse("Required metadata header not specified");
  // A request that came through a proxy could have been forged by a server that fetches URLs for others.
  if (headers.has("x-forwarded-for")) return refuse("Required metadata header not specified");
  const { resource } = query;
  if (!resource) return refuse("Required query variable 'resource' is missing");
  if (!isKnownResource(resource)) {
    const message = `AADSTS500011: The resource principal named ${resource} was not found in the tenant.`;
    return Response.json({ error: "invalid_resource", error_description: message }, { status: 400 });
  }
  const identity = select(held, query);
  if (typeof identity === "string") return refuse(identity);
  const now = Math.floor(state.clock.now() / 1000);
  const { token, expiresOn } = await tokens.issue(identity, resource);
  return Response.json({
    access_token: token,
    client_id: identity.clientId,
    expires_in: String(expiresOn - now),
    expires_on: String(expiresOn),
    ext_expires_in: String(expiresOn - now),
    not_before: String(now),
    resource,
    token_type: "Bearer",
  });
}

/** The identity that the query asks for, or why there is none. Without a parameter the system-assigned one wins. */
function select(held: readonly Identity[], query: Record<string, string | undefined>): Identity | string {
  const { client_id: clientId, object_id: objectId } = query;
  const resourceId = query.msi_res_id ?? query.mi_res_id;
  if (clientId ?? objectId ?? resourceId) {
    const found = held.find(
      (one) =>
        one.clientId === clientId ||
        one.principalId === objectId ||
        one.resourceId.toLowerCase() === resourceId?.toLowerCase(),
    );
    return found ?? "Identity not found";
  }
  const chosen = held.find((one) => !isUserAssigned(one)) ?? (held.length === 1 ? held[0] : undefined);
  if (chosen) return chosen;
  return held.length === 0
    ? "Identity not found"
    : "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request";
}

export function isUserAssigned(identity: Identity): boolean {
  return /\/Microsoft\.ManagedIdentity\/userAssignedIdentities\//i.test(identity.resourceId);
}

/** Whether tokens can be had for it in this tenant. */
export function isKnownResource(resource: string): boolean {
  return resources.has(resource.replace(/\/+$/, "")) || /^(api:\/\/)?[0-9a-f-]{36}$/i.test(resource);
}

function refuse(description: string): Response {
  return Response.json({ error: "invalid_request", error_description: description }, { status: 400 });
}
