import type { AccessToken, GetTokenOptions, TokenCredential } from "@azure/core-auth";
import { ManagedIdentityCredential } from "@azure/identity";
import type { Clock, Millis } from "../clock.ts";
import { isFault } from "../errors.ts";
import { translateError } from "./translate-error.ts";

export interface ManagedIdentity extends TokenCredential {
  getToken(scopes: string | string[], options?: GetTokenOptions): Promise<AccessToken>;
  /** Whether a token is held that still works. */
  hasToken(): boolean;
  /** Gets the first token. On ACI the endpoint appears some time after the container has started. @throws Fault */
  warmUp(scope: string, signal?: AbortSignal): Promise<void>;
}

export interface CredentialOptions {
  /** Of a user-assigned identity; absent: the system-assigned one. */
  readonly clientId?: string | undefined;
  readonly clock: Clock;
  /** Where tokens come from; default: the platform's managed identity. */
  readonly source?: TokenCredential;
}

/** Waits between the tries of the first token: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#retry-guidance */
const warmUpWaits: readonly Millis[] = [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];

/** A token that ends sooner may be rejected by the time it arrives. */
const leastLife: Millis = 60_000;

/**
 * Never `DefaultAzureCredential`: it would also take a secret from the environment or a developer's log-in. The SDK
 * keeps the kind of source, its endpoint, retries and the tokens in statics of the process: what the first credential
 * of a process was given holds for all later ones.
 */
export function createCredential(options: CredentialOptions): ManagedIdentity {
  const { clientId, clock } = options;
  const source = options.source ?? new ManagedIdentityCredential(clientId ? { clientId } : {});
  const latest = new Map<string, AccessToken>();
  const running = new Map<string, Promise<AccessToken>>();

  async function ask(scope: string, claims: string | undefined): Promise<AccessToken> {
    try {
      const token = await source.getToken(scope, claims === undefined ? {} : { claims });
      if (!token) throw new Error("no token");
      latest.set(scope, token);
      return token;
    } catch (error) {
      // The SDK hands out its cached token when a refresh is answered by an error, but not when it gets no answer.
      const held = latest.get(scope);
      if (held && isGood(held, clock) && claims === undefined) return held;
      throw translateError(error, `get a token for ${scope.replace(/\/\.default$/, "")}`);
    }
  }

  /** The SDK does not merge calls that run together, and IMDS answers 429 above about five at once. */
  function getToken(scopes: string | string[], request?: GetTokenOptions): Promise<AccessToken> {
    const scope = [scopes].flat().join(" ");
    const key = JSON.stringify([scope, request?.claims]);
    const started = running.get(key) ?? ask(scope, request?.claims).finally(() => running.delete(key));
    running.set(key, started);
    return started;
  }

  return {
    getToken,
    hasToken: () => [...latest.values()].some((token) => isGood(token, clock)),
    async warmUp(scope, signal) {
      for (const wait of warmUpWaits) {
        try {
          await getToken(scope);
          return;
        } catch (error) {
          if (!isFault(error) || error.kind !== "retriable") throw error;
          await clock.sleep(wait, signal);
        }
      }
      await getToken(scope);
    },
  };
}

function isGood(token: AccessToken, clock: Clock): boolean {
  return token.expiresOnTimestamp - clock.now() > leastLife;
}
