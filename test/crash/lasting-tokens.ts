import type { Claims, TokenAuthority } from "../local-azure/tokens.ts";

const lifetime = 20 * 365 * 24 * 3600;

/** Each token is made and checked once and outlasts every history: signatures would be a tenth of all work. */
export function lastingTokens(authority: TokenAuthority): TokenAuthority {
  const issued = new Map<string, ReturnType<TokenAuthority["issue"]>>();
  const verified = new Map<string, Promise<Claims>>();
  return {
    ...authority,
    issue: (identity, audience) =>
      once(issued, `${identity.principalId} ${audience}`, () =>
        authority.issue(identity, audience, lifetime),
      ),
    verify: (token, audiences) =>
      once(verified, `${token} ${audiences.join(" ")}`, () => authority.verify(token, audiences)),
  };
}

function once<T>(known: Map<string, T>, key: string, make: () => T): T {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}
