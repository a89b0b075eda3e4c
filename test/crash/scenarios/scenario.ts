import type { HttpClient } from "@azure/core-rest-pipeline";
import type { TokenCredential } from "@azure/core-auth";
import type { Clock } from "../../../src/clock.ts";
import type { Providers } from "../../../src/rotators/rotator.ts";
import type { AzureState, HttpService, Identity } from "../../local-azure/state.ts";
import type { TokenAuthority } from "../../local-azure/tokens.ts";

/** What a provider is put on. */
interface Ground {
  readonly state: AzureState;
  readonly tokens: TokenAuthority;
  /** Keyturn's own. */
  readonly identity: Identity;
}

/** How a process reaches a provider: every call through here can be its last. */
export interface Link {
  port<T extends object>(name: string, port: T): T;
  /** Reaches Resource Manager, and whatever services the provider brought along. */
  readonly client: { readonly httpClient: HttpClient };
  readonly credential: TokenCredential;
  readonly clock: Clock;
}

/** A provider with its first credential, and a view of it that no process has. */
export interface Provider {
  /** The text of the secret's first version. */
  readonly first: string;
  /** By host name. */
  readonly services?: Readonly<Record<string, HttpService>>;
  /** All texts that it accepts now; `undefined`: there is nobody who checks. */
  live(): ReadonlySet<string> | undefined;
  /** Whether it accepts the text of a derived secret now. */
  readonly acceptsDerived?: (text: string) => boolean;
  /** How many credentials that keyturn minted it keeps besides this one; absent where a slot is all there is. */
  readonly orphans?: (text: string) => number;
  connect(link: Link): Partial<Providers>;
  /** Somebody changes the credential in this text at the provider. Gives a text that would work then. */
  changeByHand(text: string): string;
}

/** A secret that is derived from the one that is rotated. */
export interface DerivedSecret {
  readonly name: string;
  /** As the policy file writes it, without vault, name, parent and dependents. */
  readonly secret: object;
  /** Groups that read it, in rows with dependents. */
  readonly readers: readonly string[];
  /** The text that follows from this text of the parent, by a version with this expiry in Unix seconds. */
  readonly textFrom: (parent: string, exp: number | undefined) => string;
}

export interface Scenario {
  readonly name: string;
  readonly overlap: "dual" | "single";
  readonly origin: "chosen" | "minted";
  /** The secret as the policy file writes it, without vault, name and dependents. */
  readonly secret: object;
  readonly derived?: readonly DerivedSecret[];
  install(ground: Ground): Provider;
}
