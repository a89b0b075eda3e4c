import type { Request } from "../../request.ts";
import { type Action, pause, type SecretRules, stop } from "../model/action.ts";
import type { Observation, ReadableLatest } from "../model/observation.ts";
import { isLeaked, isOpenPublished } from "../model/predicates.ts";
import type { Hold } from "../record/tags.ts";
import { isKnown } from "./own-credentials.ts";
import { discard } from "./stand-down.ts";

/** By a person, of the very version that is latest. */
export function isAskedOf(latest: ReadableLatest, request: Request | undefined): boolean {
  return request?.trigger === "manual" && request.version === latest.version;
}

/** It was asked of the version that the open rotation has replaced meanwhile: that one is leaked, not latest. */
export function isLeakOfReplaced(latest: ReadableLatest, request: Request | undefined): boolean {
  const isLeak = request?.trigger === "manual" && request.mode === "compromised";
  return isLeak && request.version === latest.record.from && isOpenPublished(latest) && !isLeaked(latest);
}

/** That a value is leaked, and whom a person has confirmed, stays true: there is nothing in it to be tried again. */
export function isHeldBack(hold: Hold | undefined): boolean {
  return hold?.quarantined !== undefined || hold?.notBefore !== undefined || (hold?.failures ?? 0) > 0;
}

/** What a person names is revoked, as long as it is one of the target's, and not the one that is published. */
export function revokeNamed(
  seen: Observation,
  latest: ReadableLatest,
  rules: SecretRules,
  id: string,
): Action {
  if (!isKnown(id, rules)) return stop("slot-unknown", `'${id}' is none of the credentials of ${rules.key}`);
  if (!seen.provider) return { kind: "observe", what: "provider" };
  if (seen.provider.latest === "unknown") return pause(seen);
  // `""`: the provider does not tell which one is published.
  if (id === latest.credentialId || !latest.credentialId || seen.provider.latest !== "accepted") {
    return stop(
      "slot-unknown",
      `'${id}' may be the credential that ${rules.key} holds now; store another one first`,
    );
  }
  return { kind: "revoke", credentialId: id };
}

/** A request of a person that no tag tells of yet is written down before anything else. */
export function recorded({ request }: Observation, latest: ReadableLatest): Action | undefined {
  const { intent } = latest.record;
  if (isLeakOfReplaced(latest, request)) return { kind: "mark-leaked" };
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "compromised" && intent?.mode !== "compromised") {
    return { kind: "write-intent", mode: "compromised" };
  }
  const intended = intent !== undefined && intent.mode !== "roll";
  return request?.mode === "routine" && !intended ? { kind: "write-intent", mode: "routine" } : undefined;
}

/** A person's answer to a rotation that was given up or held. */
export function answered(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action | undefined {
  const { request } = seen;
  const { intent, hold } = latest.record;
  if (!isAskedOf(latest, request)) return undefined;
  if (request?.mode === "confirm" && request.subject) return { kind: "waive", group: request.subject };
  if (request?.mode === "revoke" && request.subject) return revokeNamed(seen, latest, rules, request.subject);
  if (request?.mode === "retry" && isHeldBack(hold))
    return { kind: "write-intent", mode: intent?.mode ?? "routine" };
  const isDropped = request?.mode === "abandon" && !isOpenPublished(latest) && (intent ?? hold);
  return isDropped ? discard(seen, latest, rules) : undefined;
}
