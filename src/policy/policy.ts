import type { GroupId } from "../azure/container-instances.ts";
import type { Millis } from "../clock.ts";
import type { BoundRotator, SasGrant } from "../rotators/rotator.ts";

/** The policy after every check: durations in milliseconds, references resolved, rotators bound. Frozen. */
export interface Policy {
  /** Hex digest of the file's text: replicas compare it, jobs carry it. */
  readonly digest: string;
  readonly cloud: "public" | "usgovernment" | "china" | "custom";
  readonly vaults: readonly VaultPolicy[];
  /** Resource ids under which dependents may live, in lower case, without trailing slash. */
  readonly scopes: readonly string[];
  /** Our own container group. */
  readonly self: GroupId | undefined;
  readonly rollout: RolloutPolicy;
  readonly sweep: {
    readonly every: Millis;
    readonly deep: Millis;
  };
  readonly worker: {
    readonly lock: Millis;
    readonly stalledCheck: Millis;
    readonly concurrency: number;
    readonly drain: Millis;
  };
  readonly secrets: readonly SecretPolicy[];
}

export interface VaultPolicy {
  /** Short name, the last part of the id. */
  readonly name: string;
  /** ARM resource id, in lower case. Event Grid names a vault by this. */
  readonly id: string;
  /** `https://prod-kv.vault.azure.net`; from the cloud's suffix, or the environment for `cloud: custom`. */
  readonly url: string;
}

export interface RolloutPolicy {
  readonly maxUnavailable: number;
  readonly settle: Millis;
  readonly deadline: Millis;
  readonly coalesce: Millis;
  readonly skew: Millis;
}

export interface SecretPolicy {
  /** `vault/name`, as commands and logs write it. */
  readonly key: string;
  readonly vault: VaultPolicy;
  readonly name: string;
  readonly rotator: BoundRotator;
  /** Template of the secret's text. */
  readonly template: string;
  readonly contentType: string | undefined;
  readonly validity: Millis;
  readonly rotateBefore: Millis;
  readonly minInterval: Millis;
  readonly overlap: Millis;
  readonly attempts: number;
  /** `false`: the old credential is left alive at the provider (its version is still disabled). */
  readonly retire: boolean;
  readonly dependents: readonly DependentPolicy[];
  /** Everything that is derived from it, directly or not: parents before what is derived from them. */
  readonly derived: readonly DerivedPolicy[];
}

/** A secret that is built from another one, and rebuilt whenever that one changes. */
export interface DerivedPolicy
  extends Pick<SecretPolicy, "key" | "vault" | "name" | "template" | "contentType" | "dependents"> {
  /** `{password}` is a signature made with the parent's key, instead of the key. */
  readonly sas: SasGrant | undefined;
}

/** A group named by the policy, or all groups in scope whose tag names the secret. */
export type DependentPolicy =
  | {
      readonly kind: "group";
      readonly group: GroupId;
      readonly strategy: "restart";
      /** Groups to be restarted before this one. */
      readonly after: readonly GroupId[];
      readonly gate: boolean;
    }
  | { readonly kind: "discover"; readonly tag: string; readonly strategy: "restart"; readonly gate: boolean };
