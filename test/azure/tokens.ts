import { type GenerateKeyPairResult, SignJWT, errors, exportJWK, generateKeyPair, jwtVerify } from "jose";
import { randomUUID } from "node:crypto";
import type { AzureState, Identity } from "./state.ts";

/** Claims of an Azure access token that the local Azure looks at. */
export interface Claims {
  readonly aud: string;
  readonly oid: string;
  readonly appid: string;
  /** Unix seconds. */
  readonly exp: number;
}

export interface TokenAuthority {
  /** A signed token with Azure's claims. `lifetime` in seconds, default `state.tokenLifetime`. */
  issue(
    identity: Identity,
    audience: string,
    lifetime?: number,
  ): Promise<{ token: string; expiresOn: number }>;
  /** @throws TokenRefused with the reason: signature, audience, expiry, unknown principal */
  verify(token: string, audiences: readonly string[]): Promise<Claims>;
  /**
   * Called, and waited for, before a token is handed out: how a server that checks passwords (Redis) learns of it.
   * Azure Managed Redis checks the token itself.
   */
  readonly onIssue: Set<(issued: { identity: Identity; audience: string; token: string }) => Promise<void>>;
  /** Public keys as the tenant's `jwks_uri` answers. */
  jwks(): Promise<{ keys: object[] }>;
}

export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
}

/** A key pair that many authorities can share: making one takes longer than a whole schedule in memory. */
export function generateTokenKeys(): Promise<GenerateKeyPairResult> {
  return generateKeyPair("RS256", { extractable: true });
}

export async function createTokenAuthority(
  state: AzureState,
  keys?: GenerateKeyPairResult,
): Promise<TokenAuthority> {
  const { publicKey, privateKey } = keys ?? (await generateTokenKeys());
  const kid = randomUUID();
  const issuer = `https://sts.windows.net/${state.tenantId}/`;
  const onIssue: TokenAuthority["onIssue"] = new Set();
  return {
    onIssue,
    async issue(identity, audience, lifetime = state.tokenLifetime) {
      const now = Math.floor(state.clock.now() / 1000);
      const expiresOn = now + lifetime;
      const token = await new SignJWT({
        oid: identity.principalId,
        sub: identity.principalId,
        appid: identity.clientId,
        tid: state.tenantId,
        idtyp: "app",
        ver: "1.0",
        xms_mirid: identity.resourceId,
      })
        .setProtectedHeader({ alg: "RS256", typ: "JWT", kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(expiresOn)
        .sign(privateKey);
      for (const tell of onIssue) await tell({ identity, audience, token });
      return { token, expiresOn };
    },
    async verify(token, audiences) {
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          issuer,
          audience: audiences.flatMap((audience) => [audience, `${audience}/`]),
          currentDate: new Date(state.clock.now()),
        });
        const oid = String(payload.oid);
        if (!state.identities.has(oid)) throw new TokenRefused(`no principal ${oid}`);
        return { aud: String(payload.aud), oid, appid: String(payload.appid), exp: payload.exp ?? 0 };
      } catch (error) {
        if (error instanceof errors.JOSEError) throw new TokenRefused(error.message);
        throw error;
      }
    },
    async jwks() {
      return { keys: [{ ...(await exportJWK(publicKey)), kid, use: "sig", alg: "RS256" }] };
    },
  };
}
