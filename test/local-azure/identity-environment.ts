import { createIdentityEndpoint, isUserAssigned } from "./identity.ts";
import type { Serve } from "./serve.ts";
import type { AzureState, Identity } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

/**
 * Callers on loopback look alike, so each holder of identities has a port of its own. Holders of the same identities
 * share it: a container that restarts all day must not open a port each time.
 */
export function createEnvironments(state: AzureState, tokens: TokenAuthority, serve: Serve, caFile: string) {
  const known = new Map<string, Promise<Record<string, string>>>();
  const open = async (principalIds: readonly string[], port?: number) => {
    const held = () => principalIds.flatMap((id) => state.identities.get(id) ?? []);
    const { url } = await serve(createIdentityEndpoint(state, tokens, held), { port });
    return identityEnvironment(url, held(), caFile);
  };
  return async (principalIds: readonly string[], port?: number): Promise<Record<string, string>> => {
    const key = principalIds.join(" ");
    const environment = known.get(key) ?? open(principalIds, port);
    known.set(key, environment);
    return await environment;
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
