import { randomUUID } from "node:crypto";
import { isKnownResource } from "./identity.ts";
import type { ApplicationState, AzureState } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

/**
 * A token for an application that shows its client secret.
 * https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 */
export async function answerClientCredentials(
  state: AzureState,
  tokens: TokenAuthority,
  tenant: string,
  form: Readonly<Record<string, string | undefined>>,
): Promise<Response> {
  const refuse = (status: number, error: string, number: number, text: string) =>
    Response.json(refusal(state, error, number, text), { status });
  const { grant_type: grant, client_id: client, client_secret: secret, scope } = form;
  if (tenant !== state.tenantId)
    return refuse(400, "invalid_request", 90002, `Tenant '${tenant}' not found.`);
  if (grant !== "client_credentials")
    return refuse(
      400,
      "unsupported_grant_type",
      70003,
      `The app requested an unsupported grant type '${grant}'.`,
    );
  const application = [...state.applications.values()].find(({ appId }) => appId === client?.toLowerCase());
  const identity = application && state.identities.get(application.principalId);
  if (!application || !identity) {
    const text = `Application with identifier '${client}' was not found in the directory '${tenant}'.`;
    return refuse(400, "unauthorized_client", 700016, text);
  }
  const resource = /^(.+)\/\.default$/.exec(scope ?? "")?.[1];
  if (!resource)
    return refuse(400, "invalid_scope", 1002012, `The provided value for scope ${scope} is not valid.`);
  if (!isKnownResource(resource))
    return refuse(400, "invalid_resource", 500011, `The resource principal named ${resource} was not found.`);
  if (!secret)
    return refuse(
      401,
      "invalid_client",
      7000218,
      "The request body must contain 'client_assertion' or 'client_secret'.",
    );
  const refused = refusedSecret(state, application, secret);
  if (refused) return refuse(401, "invalid_client", refused.number, refused.text);
  const { token, expiresOn } = await tokens.issue(identity, resource);
  const lifetime = expiresOn - Math.floor(state.clock.now() / 1000);
  return Response.json({
    token_type: "Bearer",
    expires_in: lifetime,
    ext_expires_in: lifetime,
    access_token: token,
  });
}

function refusedSecret(
  { clock }: AzureState,
  { appId, passwords }: ApplicationState,
  secret: string,
): { number: number; text: string } | undefined {
  const now = clock.now();
  const password = passwords.find(({ value, worksFrom }) => value === secret && worksFrom <= now);
  if (!password) {
    const text = `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${appId}'.`;
    return { number: 7000215, text };
  }
  if (password.start <= now && now < password.end) return undefined;
  return { number: 7000222, text: `The provided client secret keys for app '${appId}' are expired.` };
}

function refusal({ clock }: AzureState, error: string, number: number, text: string): object {
  const [traceId, correlationId] = [randomUUID(), randomUUID()];
  const timestamp = new Date(clock.now())
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z/, "Z");
  return {
    error,
    error_description: `AADSTS${number}: ${text} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [number],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  };
}
