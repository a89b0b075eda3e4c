import { type Action, doesNotFit, pause, stop } from "../model/action.ts";
import type { Observation, ProviderFacts, ReadableLatest, VersionFacts } from "../model/observation.ts";
import { firstOf, type Situation, when } from "./chain.ts";
import { oddDerived, rebuildDerived } from "./derived.ts";
import { dependentsObserved, latestAnswered, providerObserved } from "./observed.ts";
import { isChangedInPlace, isKnown, isNamed, whichOne } from "./own-credentials.ts";

/** Why nobody is to be restarted onto latest: it cannot be read, or the provider rejects it. */
export const standsAgainst = firstOf([
  doesNotFitTemplate,
  providerObserved,
  latestAnswered,
  when(isLatestRejected, setBackToReplaced, askForWorkingValue),
]);

/** Ours first, then the one it had replaced: each only as long as the provider accepts it and latest is another one. */
const retireOvertaken = firstOf([
  waitForOverlap,
  retireOld(({ seen }) => ({ version: seen.overtaken, acceptance: seen.provider?.overtaken })),
  retireOld(({ seen }) => ({ version: seen.replaced, acceptance: seen.provider?.replaced })),
  disableOvertaken,
]);

/**
 * Nothing is rotated, but the readers are moved onto the version that somebody stored, if it works; then what that
 * version has overtaken is retired, as it would have been if ours had stayed latest.
 */
export const followForeignVersion = firstOf([
  standsAgainst,
  settleCandidate,
  rebuildDerived,
  dependentsObserved,
  rollGating,
  oddDerived,
  when(({ seen }) => seen.overtaken !== undefined, retireOvertaken),
  rollOthers,
  () => ({ kind: "close" }),
]);

/** Somebody stored a version while a rotation was under way: it is on top of ours, or of the one we were to replace. */
export function isUnfinished({ overtaken, replaced, pending }: Observation, latest: ReadableLatest): boolean {
  if (latest.lineage === "ours") return false;
  return overtaken !== undefined || (replaced !== undefined && pending.kind === "parked");
}

function doesNotFitTemplate({ latest, rules }: Situation): Action | undefined {
  return latest.credentialId === undefined ? doesNotFit(rules) : undefined;
}

function isLatestRejected({ seen }: Situation): boolean {
  return seen.provider?.latest === "rejected";
}

/**
 * While the candidate is parked nobody was moved yet: the readers hold what the version before says. A single credential
 * that was changed under them is made to accept that again, since it was seen to work; never what somebody else stored.
 */
export function setBackToReplaced({ seen, rules }: Situation): Action | undefined {
  const { pending, provider, replaced, overtaken } = seen;
  if (!isChangedInPlace(rules) || pending.kind !== "parked") return undefined;
  if (!replaced?.enabled || replaced.credentialId === undefined) return undefined;
  if (overtaken && overtaken.record.rotation !== pending.rotation) return undefined;
  const isOurs = provider?.pending === "accepted" && provider.replaced === "rejected";
  return isOurs ? { kind: "set-back", to: "replaced" } : undefined;
}

function askForWorkingValue({ seen, latest, rules }: Situation): Action {
  const question =
    `the provider rejects the latest version of ${rules.key}, which keyturn did not make; ` +
    "nobody is restarted onto it; store a value that works";
  return stop(isUnfinished(seen, latest) ? "foreign-version" : "cannot-adopt", question);
}

/** The candidate that will not be published. */
function settleCandidate({ seen, latest }: Situation): Action | undefined {
  const { pending } = seen;
  return isUnfinished(seen, latest) && pending.kind === "parked"
    ? { kind: "settle-pending", rotation: pending.rotation ?? "" }
    : undefined;
}

function rollGating({ seen: { dependents } }: Situation): Action | undefined {
  const { unconfirmed = [] } = dependents ?? {};
  return unconfirmed.length > 0 ? { kind: "roll", groups: unconfirmed } : undefined;
}

function waitForOverlap({ seen, latest, rules }: Situation): Action | undefined {
  const until = latest.createdAt + rules.overlap;
  return seen.now < until ? { kind: "wait", until, reason: "overlap" } : undefined;
}

interface Old {
  readonly version: VersionFacts | undefined;
  readonly acceptance: ProviderFacts["overtaken"];
}

function retireOld(oldOf: (situation: Situation) => Old): (situation: Situation) => Action | undefined {
  return (situation) => {
    const { seen, latest, rules } = situation;
    const { version, acceptance } = oldOf(situation);
    const id = version?.enabled ? version.credentialId : undefined;
    if (id === undefined || id === latest.credentialId || !rules.retire) return undefined;
    if (id === "" && isNamed(rules) && acceptance === "accepted") return whichOne(rules);
    if (!id || !isKnown(id, rules)) return undefined;
    if (acceptance === "unknown") return pause(seen);
    return acceptance === "accepted" ? { kind: "revoke", credentialId: id } : undefined;
  };
}

function disableOvertaken({ seen: { overtaken } }: Situation): Action | undefined {
  return overtaken?.enabled ? { kind: "disable", version: overtaken.version } : undefined;
}

/** They gate nothing, and come last. */
function rollOthers({ seen: { dependents } }: Situation): Action | undefined {
  const { others = [] } = dependents ?? {};
  return others.length > 0 ? { kind: "roll", groups: others } : undefined;
}
