import { readRecord } from "../../src/rotation/record/tags.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { isAccepted, latest, type Snapshot } from "./snapshot.ts";

/**
 * What a process may leave behind when it dies: the states of provider, latest version and parked candidate that exist
 * between two calls of one rotation. A crash in any other is a bug, whether or not the next process copes with it.
 */
export interface Stage {
  readonly name: string;
  /** Which credentials the provider accepts; in brackets where there is only one at a time. */
  readonly provider: string;
  readonly latest: string;
  readonly pending: string;
  readonly is: (facts: Facts) => boolean;
}

interface Facts {
  readonly single: boolean;
  readonly minted: boolean;
  /** Whose version is latest: the first; one of an open rotation; what a roll-back brought back; of a closed one. */
  readonly latest: "old" | "new" | "restored" | "closed";
  readonly mode: "none" | "asked" | "rolling-back";
  /** `spent`: it is latest by now, and still enabled. */
  readonly pending: "none" | "candidate" | "spent";
  /** `undefined`: there is nobody who could tell. */
  readonly accepts: Readonly<Record<"latest" | "pending" | "replaced", boolean | undefined>>;
  /** The provider has a credential that is nowhere in Key Vault. */
  readonly stray: boolean;
  readonly replacedEnabled: boolean;
  readonly derivedBehind: boolean;
  readonly groupsBehind: boolean;
}

/** In the order in which a rotation comes through them; the first that fits is the one. */
export const stages: readonly Stage[] = [
  stage("nothing written", "old", "old", "none", (seen) => before(seen, "none") && !seen.stray),
  stage("intent written", "old", "old, intent", "none", (seen) => before(seen, "asked") && !seen.stray),
  stage(
    "minted, not parked",
    "old, stray",
    "old, intent",
    "none",
    (seen) => before(seen, "asked") && seen.minted,
  ),
  stage(
    "parked",
    "old; minted: new too",
    "old, intent",
    "candidate",
    (seen) => candidate(seen) && is(seen, "latest") && (seen.minted || isNot(seen, "pending")),
  ),
  stage(
    "applied",
    "old, new (new)",
    "old, intent",
    "candidate",
    (seen) =>
      candidate(seen) && is(seen, "pending") && (seen.single ? isNot(seen, "latest") : is(seen, "latest")),
  ),
  stage(
    "published, not proven",
    "old, new (new)",
    "new",
    "candidate = latest",
    (seen) => published(seen) && seen.pending === "spent" && overlaps(seen),
  ),
  stage(
    "proven, derived secrets behind",
    "old, new (new)",
    "new",
    "disabled",
    (seen) => proven(seen) && overlaps(seen) && seen.derivedBehind,
  ),
  stage(
    "proven, groups on the old value",
    "old, new (new)",
    "new",
    "disabled",
    (seen) => proven(seen) && overlaps(seen) && seen.groupsBehind,
  ),
  stage(
    "all on the new value",
    "old, new (new)",
    "new",
    "disabled",
    (seen) => proven(seen) && overlaps(seen) && seen.replacedEnabled,
  ),
  stage(
    "old one revoked, version enabled",
    "new",
    "new",
    "disabled",
    (seen) => retiring(seen) && isNot(seen, "replaced") && seen.replacedEnabled,
  ),
  stage(
    "old version disabled, not closed",
    "new",
    "new",
    "disabled",
    (seen) => retiring(seen) && !is(seen, "replaced", false) && !seen.replacedEnabled,
  ),
  stage(
    "closed",
    "new",
    "new, closed",
    "disabled",
    (seen) =>
      seen.latest === "closed" && seen.pending === "none" && is(seen, "latest") && !seen.replacedEnabled,
  ),
  stage(
    "roll-back written",
    "old, new (new)",
    "new, intent",
    "disabled",
    (seen) => back(seen) && is(seen, "latest") && (seen.single || is(seen, "replaced")),
  ),
  stage(
    "provider set back",
    "(old)",
    "new, intent",
    "disabled",
    (seen) => back(seen) && seen.single && is(seen, "replaced") && isNot(seen, "latest"),
  ),
  stage(
    "restored, not closed",
    "old; bad or not",
    "old again",
    "disabled",
    (seen) => seen.latest === "restored" && seen.pending === "none" && is(seen, "latest"),
  ),
];

function stage(
  name: string,
  provider: string,
  inVault: string,
  pending: string,
  fits: (facts: Facts) => boolean,
): Stage {
  return { name, provider, latest: inVault, pending, is: fits };
}

/** The stage that a world stands still in; `undefined`: none that there should be. */
export function stageOf(seen: Snapshot, scenario: Scenario, initial: Snapshot): Stage | undefined {
  const facts = factsOf(seen, scenario, initial);
  return stages.find((one) => one.is(facts));
}

function factsOf(seen: Snapshot, { overlap, origin }: Scenario, initial: Snapshot): Facts {
  const now = latest(seen);
  const record = readRecord(now?.tags ?? {});
  const from = seen.versions.find(({ version }) => version === record.from);
  const parked = seen.pending.at(-1);
  const isMade = now !== undefined && !seen.byHand.has(now.version);
  const accepts = (version: typeof now) =>
    seen.live === undefined || !version ? undefined : isAccepted(seen, version);
  const known = new Set([...seen.versions, ...seen.pending].map(({ value }) => value));
  const { mode } = record.intent ?? {};
  return {
    single: overlap === "single",
    minted: origin === "minted",
    latest: !isMade ? "old" : record.state === "retired" ? "closed" : record.restores ? "restored" : "new",
    mode: mode === "rolling-back" ? mode : mode ? "asked" : "none",
    pending: !parked?.enabled ? "none" : parked.value === now?.value ? "spent" : "candidate",
    accepts: { latest: accepts(now), pending: accepts(parked), replaced: accepts(from) },
    stray: [...(seen.live ?? [])].some((text) => !known.has(text) && !initial.live?.has(text)),
    replacedEnabled: from?.enabled === true && from.value !== now?.value,
    derivedBehind: isDerivedBehind(seen, initial),
    groupsBehind: [...seen.held.values()].some(({ secret, text }) => text !== latestTextOf(seen, secret)),
  };
}

/** As long as one of them has not been written again since the secret itself was. */
function isDerivedBehind({ derived, versions }: Snapshot, initial: Snapshot): boolean {
  const writes = versions.length - initial.versions.length;
  return derived.some(
    (one, at) => one.versions.length - (initial.derived[at]?.versions.length ?? 0) < writes,
  );
}

function latestTextOf(seen: Snapshot, secret: string): string | undefined {
  return latest(seen.derived.find(({ name }) => name === secret) ?? seen)?.value;
}

type Place = keyof Facts["accepts"];

/** Where nobody can tell, it may be. */
function is({ accepts }: Facts, place: Place, unsure = true): boolean {
  return accepts[place] ?? unsure;
}

function isNot({ accepts }: Facts, place: Place): boolean {
  return accepts[place] !== true;
}

function before(seen: Facts, mode: Facts["mode"]): boolean {
  return seen.latest === "old" && seen.mode === mode && seen.pending === "none" && is(seen, "latest");
}

function candidate({ latest: kind, mode, pending }: Facts): boolean {
  return kind === "old" && mode === "asked" && pending === "candidate";
}

function published(seen: Facts): boolean {
  return seen.latest === "new" && seen.mode !== "rolling-back" && is(seen, "latest");
}

function proven(seen: Facts): boolean {
  return published(seen) && seen.pending === "none" && seen.replacedEnabled;
}

/** Both work where there are two at a time. */
function overlaps(seen: Facts): boolean {
  return seen.single ? isNot(seen, "replaced") : is(seen, "replaced");
}

function retiring(seen: Facts): boolean {
  return published(seen) && seen.pending === "none" && !seen.groupsBehind && !seen.derivedBehind;
}

function back(seen: Facts): boolean {
  return seen.latest === "new" && seen.mode === "rolling-back" && seen.pending === "none";
}
