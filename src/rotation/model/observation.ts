import type { Timestamp } from "../../clock.ts";
import type { Restored } from "../../dependents/group-facts.ts";
import type { Request } from "../../request.ts";
import type { Acceptance } from "../../rotators/rotator.ts";
import type { VersionRecord } from "../record/tags.ts";

/**
 * What can be observed of one secret's rotation: facts, never values. `latest` and `pending` come from Key Vault and
 * are always there; `provider`, `derived` and `dependents` are looked at only when the decision needs them.
 */
export interface Observation {
  readonly now: Timestamp;
  /** What the job at hand asks for. */
  readonly request: Request | undefined;
  readonly latest: Latest;
  /**
   * The version that our rotation replaced, if `latest` is ours or stands on top of ours; or that our rotation was to
   * replace when somebody stored `latest`.
   */
  readonly replaced: VersionFacts | undefined;
  /** What we published and have not retired, where somebody has stored `latest` on top of it. */
  readonly overtaken?: VersionFacts | undefined;
  readonly pending: Pending;
  readonly provider: ProviderFacts | undefined;
  /** What is derived from this secret, parents before what is derived from them. Nothing to look at where there is none. */
  readonly derived: readonly DerivedFacts[] | undefined;
  readonly dependents: DependentFacts | undefined;
}

export interface VersionFacts {
  readonly version: string;
  readonly enabled: boolean;
  readonly createdAt: Timestamp;
  readonly expiresAt: Timestamp | undefined;
  readonly record: VersionRecord;
  /**
   * Whose credential its text holds; `undefined` if it cannot be read or does not fit the template, `""` as long as only
   * the provider can tell.
   */
  readonly credentialId: string | undefined;
}

/** `disabled`: by hand. Where that was done because the value is leaked, its tags are enough, and it is `readable`. */
export type Latest =
  | { readonly kind: "missing" }
  | { readonly kind: "disabled" }
  | ({
      readonly kind: "readable";
      /** `ours`: made by the rotation its tags name, from the version before it. Tags alone do not make it so. */
      readonly lineage: "ours" | "foreign";
      /** Whether there was a version before it. */
      readonly first: boolean;
      /** Id of the rotation that would replace this version. */
      readonly rotation: string;
      /** How many tags it has that are not ours. */
      readonly otherTags?: number;
      /** Versions that somebody stored between the one we replaced and ours. */
      readonly between?: readonly string[];
      /** On a roll-back: containers started in between read the very value that is latest again. */
      readonly restored: Restored | undefined;
    } & VersionFacts);

export type ReadableLatest = Extract<Latest, { kind: "readable" }>;

/** The candidate parked in `<name>--pending`. It counts only if it is enabled and names the rotation in question. */
export type Pending =
  | { readonly kind: "none" }
  | {
      readonly kind: "parked";
      readonly version: string;
      /** The rotation its tag names. */
      readonly rotation: string | undefined;
      readonly credentialId: string | undefined;
      readonly equalsLatest: boolean;
      readonly createdAt: Timestamp;
      /** How often it was refused when it was tried. */
      readonly refusals: number;
    };

/** Which of the values we know the provider accepts now. */
export interface ProviderFacts {
  readonly latest: Acceptance;
  readonly pending: Acceptance;
  readonly replaced: Acceptance;
  readonly overtaken?: Acceptance;
  /** Slots of the target that do not exist at the provider. */
  readonly missing: readonly string[];
  /** Credentials that our own minting left behind. */
  readonly orphans: readonly string[];
}

/** A secret that is derived from this one. */
export interface DerivedFacts {
  /** `vault/name` */
  readonly key: string;
  /**
   * `current`: its text is what follows from the parent's latest version. `behind`: it followed from an earlier one, or
   * expires too soon. `foreign`: somebody else wrote it. `unknown`: the parent's text holds no credential to derive from.
   */
  readonly state: "current" | "behind" | "missing" | "disabled" | "foreign" | "unknown";
}

interface DependentFacts {
  /** Ids of gating groups, of this secret and of what is derived from it, that are not confirmed on the latest version. */
  readonly unconfirmed: readonly string[];
  readonly confirmed: number;
  /** Ids of gating groups that are not up, whatever they run on. */
  readonly down?: readonly string[];
  /** Ids of the groups that gate nothing and are not confirmed either. */
  readonly others?: readonly string[];
  /** How many gating groups fewer there are than at the publish, although the policy names them the same way. */
  readonly lost?: number;
}
