import type { Hono } from "hono";
import { audiences, type ArmEnv } from "./arm.ts";

/**
 * What `az cloud register` and SDKs ask a Resource Manager for, without a token. Api-versions before 2018 get the one
 * object that older tools know, later ones the list of clouds.
 */
export function serveMetadata(app: Hono<ArmEnv>, authority: string | undefined): void {
  app.get("/metadata/endpoints", (context) => {
    const { origin } = new URL(context.req.url);
    const loginEndpoint = authority ?? origin;
    const authentication = {
      loginEndpoint,
      audiences: ["https://management.core.windows.net/", ...audiences],
    };
    if ((context.req.query("api-version") ?? "") < "2018") {
      return context.json({
        galleryEndpoint: origin,
        graphEndpoint: "https://graph.windows.net/",
        portalEndpoint: origin,
        authentication,
      });
    }
    const cloud = {
      name: "local",
      portal: origin,
      authentication: { ...authentication, tenant: "common", identityProvider: "AAD" },
      resourceManager: origin,
      graph: "https://graph.windows.net/",
      graphAudience: "https://graph.windows.net/",
      microsoftGraphResourceId: "https://graph.microsoft.com/",
      ossrdbmsResourceId: "https://ossrdbms-aad.database.windows.net",
      suffixes: { keyVaultDns: "vault.azure.net", storage: "core.windows.net" },
    };
    return context.json([cloud]);
  });
}
