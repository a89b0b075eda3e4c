import type { Timestamp } from "../../clock.ts";
import { type Action, stop } from "../model/action.ts";
import { dueAt } from "../model/due.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { oddDerived, rebuildDerived } from "./derived.ts";
import { setBackToReplaced } from "./foreign-version.ts";
import { dependentsObserved, derivedObserved, latestAnswered } from "./observed.ts";

/** How long to leave readers alone that are not up: the longer they are, the longer. */
const downPause = { least: 15_000, most: 10 * 60_000 };

/**
 * What stands against making a candidate. Nothing of this is asked again once one is parked: the value that it replaces
 * was seen to work then, and a single credential stops working the moment its candidate is applied.
 */
export const standsAgainstCandidate = firstOf([
  // Disabled by hand because it is leaked: nobody can ask the provider about it, and it is not worth keeping.
  when(isEnabled, latestAnswered, when(isNotAdoptable, setBackToReplaced, askForAdoptableValue)),
  when(isEnabled, when(isNoLeak, derivedObserved, oddDerived)),
  when(mayBeInUse, rebuildDerived, dependentsObserved, rollUnconfirmed, waitForSlot),
  when(hasPatience, derivedObserved, dependentsObserved, waitForReaders),
  revokeOrphan,
]);

function isEnabled({ latest }: Situation): boolean {
  return latest.enabled;
}

/** Somebody else wrote it, and the provider rejects it. */
function isNotAdoptable({ seen, latest }: Situation): boolean {
  return latest.lineage !== "ours" && seen.provider?.latest !== "accepted";
}

function askForAdoptableValue({ latest, rules }: Situation): Action {
  return stop(
    "cannot-adopt",
    `the provider rejects the credential '${latest.credentialId}' in ${rules.key}, which keyturn did not make; ` +
      "store a value that works, then ask again",
  );
}

/** What could not be derived from the new value is asked before there is one; a leak does not wait for that. */
function isNoLeak({ latest }: Situation): boolean {
  return latest.record.intent?.mode !== "compromised";
}

/**
 * The candidate ends what is in the free slot, and that may have been latest until somebody stored another version, or
 * edited our tags: it is left alone until the dependents have moved on and the overlap has passed. A leak waits for
 * nobody, and of what was taken back nobody needs an overlap.
 */
function mayBeInUse(situation: Situation): boolean {
  const { latest, rules } = situation;
  const takesTurns = rules.rotator.overlap === "dual" && rules.rotator.slots.length > 0;
  return !latest.first && takesTurns && !isPressing(situation);
}

function rollUnconfirmed({ seen: { dependents } }: Situation): Action | undefined {
  const { unconfirmed = [] } = dependents ?? {};
  return unconfirmed.length > 0 ? { kind: "roll", groups: unconfirmed } : undefined;
}

function waitForSlot({ seen, latest, rules }: Situation): Action | undefined {
  const until = latest.createdAt + (latest.record.restores === undefined ? rules.overlap : 0);
  return seen.now < until ? { kind: "wait", until, reason: "slot" } : undefined;
}

/** A leak waits for nobody; and if the provider rejects latest, nobody can run on it: a new value is the cure. */
function isPressing({ seen, latest }: Situation): boolean {
  return latest.record.intent?.mode === "compromised" || seen.provider?.latest === "rejected";
}

/** Nothing is begun while readers are down: they could not show whether they take the new value. Not for ever, though. */
function hasPatience(situation: Situation): boolean {
  return !isPressing(situation) && situation.seen.now < patienceEnds(situation);
}

function patienceEnds({ latest, rules }: Situation): Timestamp {
  return dueAt(latest, rules) + rules.rotateBefore / 2;
}

function waitForReaders({ seen, latest }: Situation): Action | undefined {
  if ((seen.dependents?.down ?? []).length === 0) return undefined;
  const waited = seen.now - (latest.record.intent?.at ?? seen.now);
  const longer = Math.min(Math.max(downPause.least, waited / 10), downPause.most);
  return { kind: "wait", until: seen.now + longer, reason: "down" };
}

/**
 * What earlier mintings left behind counts towards the provider's limit. On a version that somebody else stored, an
 * orphan may well be what keyturn published before and the dependents still run on.
 */
function revokeOrphan({ seen, latest, rules }: Situation): Action | undefined {
  const [orphan] = seen.provider?.orphans ?? [];
  if (latest.lineage === "foreign" && !latest.first) return undefined;
  return rules.rotator.origin === "minted" && rules.retire && orphan !== undefined
    ? { kind: "revoke", credentialId: orphan }
    : undefined;
}
