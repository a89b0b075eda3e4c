import type { Millis, Timestamp } from "../../../src/clock.ts";

/** A resource with keys, or a rule of a namespace that has them. */
export interface KeyedResourceState {
  readonly id: string;
  /** As Azure writes it: `Microsoft.Storage/storageAccounts`. */
  readonly type: string;
  readonly keys: readonly KeyState[];
  /** Where its service is served, without trailing slash; what Resource Manager tells of it. */
  endpoint: string;
  /** Of a Cognitive Services account: `OpenAI`, `AIServices`, `Face`, ... */
  readonly kind: string;
  /** Of a rule: `Manage`, `Send`, `Listen`. */
  readonly rights: readonly string[];
  /** Which services a storage account has. */
  readonly services: readonly string[];
  /** The service takes no keys any more. */
  keysOff: boolean;
  /** How long the service takes to learn of a new key. */
  delay: Millis;
  regenerations: number;
}

export interface KeyState {
  readonly name: string;
  readonly id: string;
  value: string;
  /** The value before, and until when the service still takes that one. */
  previous: { readonly value: string; readonly until: Timestamp } | undefined;
}
