import type { Timestamp } from "../../src/clock.ts";
import type { SecretVersionState } from "../local-azure/state.ts";

/** The world at one moment, as nobody in it can see it. */
export interface Snapshot {
  readonly now: Timestamp;
  /** Versions of the secret, oldest first. */
  readonly versions: readonly SecretVersionState[];
  readonly pending: readonly SecretVersionState[];
  /** Texts that the provider accepts; `undefined`: nobody checks. */
  readonly live: ReadonlySet<string> | undefined;
  /** What is derived from it, in the scenario's order. */
  readonly derived: readonly DerivedSnapshot[];
  /** What each gating group read when its containers started. */
  readonly held: ReadonlyMap<string, Holding>;
  /** Versions that people stored. */
  readonly byHand: ReadonlySet<string>;
  /** How often Resource Manager restarted each group. */
  readonly restarts: ReadonlyMap<string, number>;
}

export interface DerivedSnapshot {
  readonly name: string;
  readonly versions: readonly SecretVersionState[];
  /** Those of their texts that the provider accepts. */
  readonly live: ReadonlySet<string>;
}

export interface Holding {
  /** Name of the secret that the group reads. */
  readonly secret: string;
  readonly text: string;
}

export function latest({ versions }: Pick<Snapshot, "versions">): SecretVersionState | undefined {
  return versions.at(-1);
}

export function isAccepted(
  { live }: Pick<Snapshot, "live">,
  version: SecretVersionState | undefined,
): boolean {
  return version !== undefined && (live === undefined || live.has(version.value));
}

/** What is in `one` and not in `other`. */
export function missing(
  one: ReadonlySet<string> | undefined,
  other: ReadonlySet<string> | undefined,
): string[] {
  return [...(one ?? [])].filter((text) => !other?.has(text));
}
