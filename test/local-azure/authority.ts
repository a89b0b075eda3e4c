import { Hono } from "hono";
import { answerClientCredentials } from "./client-credentials.ts";
import { azureError, withFaults } from "./http.ts";
import type { AzureState, HttpService } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

/** Tokens for applications that show a client secret, and the OpenID documents that token libraries ask for. */
export function createAuthority(state: AzureState, tokens: TokenAuthority): HttpService {
  const app = new Hono({ strict: false });
  const configuration = (url: string) => {
    const base = `${new URL(url).origin}/${state.tenantId}`;
    return {
      issuer: `https://sts.windows.net/${state.tenantId}/`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
      response_types_supported: ["code", "id_token", "token"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      tenant_region_scope: null,
      cloud_instance_name: new URL(url).host,
    };
  };
  const openid = ".well-known/openid-configuration";
  app.get("/common/discovery/instance", (context) =>
    context.json({
      tenant_discovery_endpoint: `${new URL(context.req.url).origin}/${state.tenantId}/v2.0/${openid}`,
      "api-version": "1.1",
      metadata: [],
    }),
  );
  app.on("GET", [`/:tenant/${openid}`, `/:tenant/v2.0/${openid}`], (context) =>
    isTenant(state, context.req.param("tenant"))
      ? context.json(configuration(context.req.url))
      : azureError(400, "invalid_tenant", `AADSTS90002: Tenant '${context.req.param("tenant")}' not found.`),
  );
  app.on("GET", ["/:tenant/discovery/keys", "/:tenant/discovery/v2.0/keys"], async (context) =>
    context.json(await tokens.jwks()),
  );
  app.post("/:tenant/oauth2/v2.0/token", async (context) => {
    const form = Object.fromEntries(new URLSearchParams(await context.req.text()));
    return await answerClientCredentials(state, tokens, context.req.param("tenant"), form);
  });
  app.notFound((context) => azureError(404, "NotFound", `There is no ${context.req.path} here.`));
  return withFaults(state, "authority", async (request) => await app.fetch(request));
}

function isTenant(state: AzureState, name: string): boolean {
  return [state.tenantId, "common", "organizations"].includes(name);
}
