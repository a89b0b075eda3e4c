import type { MiddlewareHandler } from "hono";
import { authenticate, azureError, refuseUnlessAllowed } from "../http.ts";
import type { AzureState, VaultState } from "../state.ts";
import type { Claims, TokenAuthority } from "../tokens.ts";

const audience = "https://vault.azure.net";

export interface VaultVariables {
  Variables: { claims: Claims };
}

/** 401 with Key Vault's challenge unless the request carries a good token for Key Vault. */
export function requireToken(
  state: AzureState,
  tokens: TokenAuthority,
  authority: string,
): MiddlewareHandler<VaultVariables> {
  const challenge = `Bearer authorization="${authority}/${state.tenantId}", resource="${audience}"`;
  return async (context, next) => {
    const request = context.req.raw;
    const caller = await authenticate(tokens, request, [audience]);
    if ("claims" in caller) {
      context.set("claims", caller.claims);
      return await next();
    }
    const missing = !request.headers.has("authorization");
    return azureError(
      401,
      "Unauthorized",
      missing
        ? "AKV10000: Request is missing a Bearer or PoP token."
        : `AKV10032: Invalid token: ${caller.refused}`,
      { headers: { "www-authenticate": missing ? challenge : `${challenge}, error="invalid_token"` } },
    );
  };
}

/** 403 unless a role lets the caller do `action` (without its common prefix) on the secret of the path. */
export function allow(
  state: AzureState,
  vault: VaultState,
  action: string,
): MiddlewareHandler<VaultVariables> {
  return async (context, next) => {
    const name = context.req.param("name");
    const scope = name ? `${vault.id}/secrets/${name}` : vault.id;
    const full = `Microsoft.KeyVault/vaults/secrets/${action}`;
    const refused = refuseUnlessAllowed(state, context.get("claims"), full, scope);
    if (refused) return refused;
    return await next();
  };
}
