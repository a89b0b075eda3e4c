import type { Millis, Timestamp } from "../../clock.ts";
import type { FaultCode } from "../../errors.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import type { Mode } from "../record/tags.ts";
import type { Observation } from "./observation.ts";

/** One step, what still has to be looked at, when to look again, or who has to decide. */
export type Action =
  | { readonly kind: "observe"; readonly what: "provider" | "derived" | "dependents" }
  | { readonly kind: "write-intent"; readonly mode: Mode }
  | { readonly kind: "park"; readonly slot: string; readonly rotation: string }
  | { readonly kind: "mint"; readonly slot: string; readonly rotation: string }
  | { readonly kind: "apply"; readonly rotation: string }
  | { readonly kind: "publish"; readonly rotation: string }
  | { readonly kind: "reopen-pending"; readonly rotation: string }
  | { readonly kind: "repair"; readonly rotation: string }
  | { readonly kind: "settle-pending"; readonly rotation: string }
  /** Builds a derived secret (`vault/name`) from the latest version. */
  | { readonly kind: "publish-derived"; readonly derived: string }
  | { readonly kind: "roll"; readonly groups: readonly string[] }
  | { readonly kind: "revoke"; readonly credentialId: string }
  | { readonly kind: "close" }
  /** Enables an older version, to see whose credential it holds. */
  | { readonly kind: "reopen"; readonly version: string }
  /** Writes down that what the open rotation replaces is leaked. */
  | { readonly kind: "mark-leaked" }
  /** Disables a version that is neither latest nor the one before ours. */
  | { readonly kind: "disable"; readonly version: string }
  /** A person says that this group needs no waiting for. */
  | { readonly kind: "waive"; readonly group: string }
  /** Makes the provider accept this version's value again: the one way back for a single credential. */
  | { readonly kind: "set-back"; readonly to: "latest" | "replaced" }
  /** Publishes the replaced value again, as a new version. */
  | { readonly kind: "restore" }
  /** Takes back what was asked: intent, hold and candidate. */
  | { readonly kind: "drop-intent" }
  | {
      readonly kind: "wait";
      readonly until: Timestamp;
      readonly reason: "overlap" | "slot" | "down" | "provider" | "propagation" | "agreement";
    }
  | {
      readonly kind: "idle";
      readonly until: Timestamp;
      readonly reason: "not-due" | "not-asked" | "superseded" | "not-before";
      /** The rotation that has replaced the version in question, if one has. */
      readonly by?: string | undefined;
    }
  | { readonly kind: "stop"; readonly code: FaultCode; readonly question: string };

export type SecretRules = Pick<
  SecretPolicy,
  "key" | "rotator" | "validity" | "rotateBefore" | "minInterval" | "overlap" | "retire"
> & {
  /** How long a leaked credential may live on for the sake of dependents that do not follow. */
  readonly deadline: Millis;
};

/** How long to leave a provider alone that could not be asked. */
const providerPause: Millis = 5_000;

export function pause(seen: Observation): Action {
  return { kind: "wait", until: seen.now + providerPause, reason: "provider" };
}

/** The text in latest is not what the policy's template makes. */
export function doesNotFit({ key }: Pick<SecretRules, "key">): Action {
  return stop(
    "cannot-adopt",
    `the text of ${key} does not fit the policy's template; correct the template or store a value that fits`,
  );
}

export function stop(code: FaultCode, question: string): Action {
  return { kind: "stop", code, question };
}

/** The actions that change something. The others tell the job when to look again. */
export type Act = Exclude<Action, { kind: "observe" | "roll" | "wait" | "idle" | "stop" }>;

/** What a decision says when there is nothing to do now. */
export type Pause = Exclude<Action, Act | { kind: "observe" }>;

export function isAct(action: Act | Pause): action is Act {
  return !["roll", "wait", "idle", "stop"].includes(action.kind);
}
