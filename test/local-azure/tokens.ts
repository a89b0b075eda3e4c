import { decodeJwt, exportJWK } from "jose";
import { generateKeyPair, type KeyObject, randomUUID, sign, verify } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
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

export interface TokenKeys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function generateTokenKeys(): Promise<TokenKeys> {
  return promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
}

let shared: Promise<TokenKeys> | undefined;

/** One key pair for all authorities of a process: making one takes longer than most tests. */
function sharedTokenKeys(): Promise<TokenKeys> {
  return (shared ??= generateTokenKeys());
}

const Payload = z.object({
  iss: z.string(),
  aud: z.string(),
  oid: z.string(),
  appid: z.string(),
  nbf: z.number(),
  exp: z.number(),
});

/**
 * Signs and checks in the calling thread: a library's asynchronous crypto takes turns of the event loop that a virtual
 * clock cannot know of, and time would run on while a request is at work.
 */
export async function createTokenAuthority(state: AzureState, keys?: TokenKeys): Promise<TokenAuthority> {
  const { publicKey, privateKey } = keys ?? (await sharedTokenKeys());
  const kid = randomUUID();
  const issuer = `https://sts.windows.net/${state.tenantId}/`;
  const header = encode({ alg: "RS256", typ: "JWT", kid });
  const now = () => Math.floor(state.clock.now() / 1000);
  const onIssue: TokenAuthority["onIssue"] = new Set();
  return {
    onIssue,
    async issue(identity, audience, lifetime = state.tokenLifetime) {
      const expiresOn = now() + lifetime;
      const claims = { iss: issuer, aud: audience, iat: now(), nbf: now(), exp: expiresOn };
      const text = `${header}.${encode({ ...claims, ...claimsOf(state, identity) })}`;
      const signature = sign("RSA-SHA256", Buffer.from(text), privateKey);
      const token = `${text}.${signature.toString("base64url")}`;
      for (const tell of onIssue) await tell({ identity, audience, token });
      return { token, expiresOn };
    },
    async verify(token, audiences) {
      const [head, body, signature, ...rest] = token.split(".");
      const signed = Buffer.from(`${head}.${body}`);
      const isSigned =
        rest.length === 0 &&
        verify("RSA-SHA256", signed, publicKey, Buffer.from(signature ?? "", "base64url"));
      if (!isSigned) throw new TokenRefused("the signature is not the authority's");
      const claims = Payload.parse(decodeJwt(token));
      const refused = whyRefused(claims, audiences, { state, issuer, now: now() });
      if (refused) throw new TokenRefused(refused);
      return claims;
    },
    async jwks() {
      return { keys: [{ ...(await exportJWK(publicKey)), kid, use: "sig", alg: "RS256" }] };
    },
  };
}

function claimsOf(state: AzureState, identity: Identity): object {
  return {
    oid: identity.principalId,
    sub: identity.principalId,
    appid: identity.clientId,
    tid: state.tenantId,
    idtyp: "app",
    ver: "1.0",
    xms_mirid: identity.resourceId,
  };
}

/** Resources name their audience with or without a slash at the end. */
function whyRefused(
  { iss, aud, oid, nbf, exp }: z.infer<typeof Payload>,
  audiences: readonly string[],
  { state, issuer, now }: { state: AzureState; issuer: string; now: number },
): string | undefined {
  if (iss !== issuer) return `the issuer is ${iss}`;
  if (!audiences.some((audience) => aud === audience || aud === `${audience}/`))
    return `the audience is ${aud}`;
  if (exp <= now) return "the token has expired";
  if (nbf > now) return "the token is not valid yet";
  return state.identities.has(oid) ? undefined : `there is no principal ${oid}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
