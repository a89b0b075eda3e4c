import type { Timestamp } from "../../clock.ts";
import type { Action } from "../model/action.ts";
import { isLeaked } from "../model/predicates.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { replacedAnswered } from "./observed.ts";
import { hasTwo, isKnown, isNamed, whichOne } from "./own-credentials.ts";

/**
 * Once the rotation is closed nobody observes it any more. Who gates nothing is brought along before, but not waited for
 * for long; who could not follow a leak in time is not forgotten.
 */
const close = firstOf([rollUnconfirmed, rollOthers, () => ({ kind: "close" })]);

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

function revokeOrphan({ seen: { provider } }: Situation): Action | undefined {
  const [orphan] = provider?.orphans ?? [];
  return orphan === undefined ? undefined : { kind: "revoke", credentialId: orphan };
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

function rollUnconfirmed({ seen: { dependents } }: Situation): Action | undefined {
  const { unconfirmed = [] } = dependents ?? {};
  return unconfirmed.length > 0 ? { kind: "roll", groups: unconfirmed } : undefined;
}

function rollOthers(situation: Situation): Action | undefined {
  const { seen, latest, rules } = situation;
  const { others = [] } = seen.dependents ?? {};
  const patience = Math.max(overlapEnd(situation), latest.createdAt) + rules.deadline;
  return others.length > 0 && seen.now < patience ? { kind: "roll", groups: others } : undefined;
}
