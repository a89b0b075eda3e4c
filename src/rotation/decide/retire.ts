import type { Timestamp } from "../../clock.ts";
import type { Action } from "../model/action.ts";
import { isLeaked } from "../model/predicates.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { rollOthers, rollUnconfirmed } from "./dependents.ts";
import { replacedAnswered } from "./observed.ts";
import { hasTwo, isKnown, isNamed, revokeOrphan, whichOne } from "./own-credentials.ts";

/**
 * Once the rotation is closed nobody observes it any more. Who gates nothing is brought along before, but not waited for
 * for long; who could not follow a leak in time is not forgotten.
 */
const close = firstOf([rollUnconfirmed, when(isPatient, rollOthers), () => ({ kind: "close" })]);

/** Only a slot whose present value is the replaced one, and not the one in use, is ever revoked. */
export const retire = firstOf([
  when(({ rules }) => !rules.retire, close),
  revokeOrphan,
  when(isReplacedUnnamed, ({ rules }) => whichOne(rules)),
  when(isReplacedHidden, reopenReplaced),
  when(isNothingToRevoke, close),
  replacedAnswered,
  revokeReplaced,
  close,
]);

/** Nobody needs an overlap with a leaked value, or with one that was taken back. */
export function overlapEnd({ latest, rules }: Situation): Timestamp {
  return isLeaked(latest) || latest.record.restores !== undefined ? 0 : latest.createdAt + rules.overlap;
}

/** The provider accepts it, and does not tell under which id. */
function isReplacedUnnamed({ seen: { replaced, provider }, rules }: Situation): boolean {
  return replaced?.credentialId === "" && isNamed(rules) && provider?.replaced === "accepted";
}

/** Whoever has disabled it meant well, but a credential that cannot be compared cannot be revoked. */
function isReplacedHidden({ seen: { replaced }, rules }: Situation): boolean {
  const isHidden = replaced?.enabled === false && replaced.record.state !== "revoked";
  return isHidden && replaced.credentialId === undefined && hasTwo(rules);
}

function reopenReplaced({ seen: { replaced } }: Situation): Action | undefined {
  return replaced && { kind: "reopen", version: replaced.version };
}

/** There is no other credential than the one in use, or none that is the policy's. */
function isNothingToRevoke({ seen, latest, rules }: Situation): boolean {
  const old = seen.replaced?.credentialId;
  return !old || old === latest.credentialId || !isKnown(old, rules);
}

function revokeReplaced({ seen: { replaced, provider } }: Situation): Action | undefined {
  return provider?.replaced === "accepted" && replaced?.credentialId !== undefined
    ? { kind: "revoke", credentialId: replaced.credentialId }
    : undefined;
}

function isPatient(situation: Situation): boolean {
  const { seen, latest, rules } = situation;
  return seen.now < Math.max(overlapEnd(situation), latest.createdAt) + rules.deadline;
}
