import { type Action, stop } from "../model/action.ts";
import { dueAt, startsAutomatically } from "../model/due.ts";
import { behind } from "../model/predicates.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { oddDerived } from "./derived.ts";
import { isUnfinished, standsAgainst } from "./foreign-version.ts";
import { derivedObserved, providerObserved } from "./observed.ts";
import { isNamed } from "./own-credentials.ts";

/** Nothing is under way: begins what is due, moves readers that are behind, tidies up, or says when it is due. */
export const atRest = firstOf([
  when(isDue, tooManyTags(8), beginRotation),
  settleLeftOver,
  derivedObserved,
  when(movesReaders, standsAgainst, tooManyTags(3), beginRoll),
  oddDerived,
  superseded,
  when(seeksOrphans, providerObserved, revokeOrphan),
  onHold,
  nothingToDo,
]);

function isDue({ seen, latest, rules }: Situation): boolean {
  return startsAutomatically(seen, latest, rules);
}

/** Key Vault keeps 15 tags on a version. Ours are up to eight; fewer where nothing is rotated. */
function tooManyTags(ours: number): (situation: Situation) => Action | undefined {
  return ({ latest: { otherTags = 0 }, rules: { key } }) => {
    const tooMany = otherTags - (15 - ours);
    if (tooMany <= 0) return undefined;
    return stop(
      "too-many-tags",
      `${key} has ${otherTags} tags of others, and Key Vault takes 15 with ${ours} of keyturn's; remove ${tooMany}`,
    );
  };
}

function beginRotation(): Action {
  return { kind: "write-intent", mode: "routine" };
}

/** Left by a process that was gone before it had tidied up. */
function settleLeftOver({ seen: { pending }, latest }: Situation): Action | undefined {
  const { state, rotation } = latest.record;
  const isLeftOver = pending.kind === "parked" && pending.equalsLatest && state === "retired";
  return isLeftOver && rotation !== undefined && pending.rotation === rotation
    ? { kind: "settle-pending", rotation }
    : undefined;
}

/** A new version that somebody stored, or a derived secret that has to be rebuilt: with the restarts that this needs. */
function movesReaders({ seen, latest }: Situation): boolean {
  if (seen.request?.mode === "abandon") return false;
  const { state, from } = latest.record;
  // Our tags may have been copied from another version: only a mark that names this very version counts.
  const isDone = state === "retired" && from === latest.version;
  const isNews = latest.lineage === "foreign" && !latest.first && !isDone;
  return isNews || isUnfinished(seen, latest) || behind(seen) !== undefined;
}

function beginRoll(): Action {
  return { kind: "write-intent", mode: "roll" };
}

/** A person asked for a version to be replaced that is not latest any more. */
function superseded({ seen: { request }, latest, rules }: Situation): Action | undefined {
  const isNewer = request?.trigger === "manual" && request.version !== latest.version;
  if (!isNewer) return undefined;
  const by = latest.lineage === "ours" ? latest.record.rotation : undefined;
  return { kind: "idle", until: dueAt(latest, rules), reason: "superseded", by };
}

/** The sweep looks for what a mint left behind whose answer was lost; only where nobody can be running on it. */
function seeksOrphans({ seen, latest, rules }: Situation): boolean {
  const isSettled = latest.first || latest.lineage === "ours";
  return seen.request?.trigger === "sweep" && isNamed(rules) && isSettled && rules.retire;
}

function revokeOrphan({ seen: { provider } }: Situation): Action | undefined {
  const [orphan] = provider?.orphans ?? [];
  return orphan === undefined ? undefined : { kind: "revoke", credentialId: orphan };
}

/** After a roll-back. */
function onHold({ seen, latest }: Situation): Action | undefined {
  const until = latest.record.hold?.notBefore ?? 0;
  return seen.now < until ? { kind: "idle", until, reason: "not-before" } : undefined;
}

function nothingToDo({ seen, latest, rules }: Situation): Action {
  const until = dueAt(latest, rules);
  return { kind: "idle", until, reason: until <= seen.now ? "not-asked" : "not-due" };
}
