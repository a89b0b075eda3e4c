import type { RequestMode } from "../../request.ts";
import { type Action, stop } from "../model/action.ts";
import { isLeaked, isOpenPublished } from "../model/predicates.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { latestAnswered, providerObserved } from "./observed.ts";
import { isKnown } from "./own-credentials.ts";
import { discard } from "./stand-down.ts";

/** What a person asks is answered, or written down, before anything else. */
export const answerRequest = firstOf([
  when(isAsked("confirm"), waiveGroup),
  when(isAsked("revoke"), revokeNamed),
  when(isAsked("retry"), tryAgain),
  when(isAsked("abandon"), abandon),
  markLeaked,
  when(isAsked("compromised"), recordLeak),
  when(isAsked("routine"), recordRotation),
]);

/** By a person, of the very version that is latest. */
function isAsked(mode: RequestMode): (situation: Situation) => boolean {
  return ({ seen: { request }, latest }) =>
    request?.trigger === "manual" && request.mode === mode && request.version === latest.version;
}

/** This container group needs no waiting for. */
function waiveGroup({ seen: { request } }: Situation): Action | undefined {
  return request?.subject ? { kind: "waive", group: request.subject } : undefined;
}

/** What a person names is revoked, as long as it is one of the target's, and not the one that is published. */
function revokeNamed(situation: Situation): Action | undefined {
  const { subject } = situation.seen.request ?? {};
  return subject ? revoke(subject)(situation) : undefined;
}

function revoke(id: string): (situation: Situation) => Action {
  return firstOf([
    ({ rules }) =>
      isKnown(id, rules)
        ? undefined
        : stop("slot-unknown", `'${id}' is none of the credentials of ${rules.key}`),
    providerObserved,
    latestAnswered,
    (situation) =>
      mayBePublished(id, situation)
        ? stop(
            "slot-unknown",
            `'${id}' may be the credential that ${situation.rules.key} holds now; store another one first`,
          )
        : undefined,
    () => ({ kind: "revoke", credentialId: id }),
  ]);
}

function mayBePublished(id: string, { seen, latest }: Situation): boolean {
  // `""`: the provider does not tell which one is published.
  return id === latest.credentialId || !latest.credentialId || seen.provider?.latest !== "accepted";
}

/**
 * Only where something holds the rotation back: that a value is leaked, and whom a person has confirmed, stays true, and
 * there is nothing in it to be tried again.
 */
function tryAgain({ latest }: Situation): Action | undefined {
  const { hold, intent } = latest.record;
  const isHeldBack =
    hold?.quarantined !== undefined || hold?.notBefore !== undefined || (hold?.failures ?? 0) > 0;
  return isHeldBack ? { kind: "write-intent", mode: intent?.mode ?? "routine" } : undefined;
}

/** Takes back what was asked, as long as nothing is published. */
function abandon(situation: Situation): Action | undefined {
  const { latest } = situation;
  const isSomething = latest.record.intent !== undefined || latest.record.hold !== undefined;
  return isSomething && !isOpenPublished(latest) ? discard(situation) : undefined;
}

/** It was asked of the version that the open rotation has replaced meanwhile: that one is leaked, not latest. */
function markLeaked({ seen: { request }, latest }: Situation): Action | undefined {
  const isLeak = request?.trigger === "manual" && request.mode === "compromised";
  const isOfReplaced = isLeak && request.version === latest.record.from && isOpenPublished(latest);
  return isOfReplaced && !isLeaked(latest) ? { kind: "mark-leaked" } : undefined;
}

function recordLeak({ latest }: Situation): Action | undefined {
  return latest.record.intent?.mode === "compromised"
    ? undefined
    : { kind: "write-intent", mode: "compromised" };
}

/** That readers are to move is no rotation yet. */
function recordRotation({ latest }: Situation): Action | undefined {
  const { intent } = latest.record;
  const isIntended = intent !== undefined && intent.mode !== "roll";
  return isIntended ? undefined : { kind: "write-intent", mode: "routine" };
}
