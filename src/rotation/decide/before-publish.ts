import { type Action, doesNotFit, pause, type SecretRules, stop } from "../model/action.ts";
import { dueAt } from "../model/due.ts";
import type { Observation, Pending, ReadableLatest } from "../model/observation.ts";
import type { VersionRecord } from "../record/tags.ts";
import { oddDerived, rebuild } from "./derived.ts";
import { setBack } from "./foreign-version.ts";
import { isCandidate } from "./stand-down.ts";

/** How long to leave readers alone that are not up: the longer they are, the longer. */
const downPause = { least: 15_000, most: 10 * 60_000 };

/** A candidate that was refused this often is made anew. */
const mostRefusals = 3;

/** Somebody asked for this version to be replaced: makes a candidate, proves it, publishes it. */
export function beforePublish(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  if (latest.credentialId === undefined && !latest.enabled) {
    return stop(
      "secret-disabled",
      `the latest version of ${rules.key} is disabled, and its tags do not tell whose credential it holds; ` +
        "enable it until keyturn has replaced it",
    );
  }
  if (latest.credentialId === undefined) return doesNotFit(rules);
  const { provider } = seen;
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.missing.length > 0) {
    return stop("target-missing", `${rules.key}: not found at the provider: ${provider.missing.join(", ")}`);
  }
  return prepareCandidate(seen, latest, rules);
}

function prepareCandidate(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const { pending, provider } = seen;
  const { rotation } = latest;
  const slot = freeSlot(latest.credentialId, rules);
  if (slot === undefined) {
    return stop("slot-unknown", notOfThem(rules.key, latest.credentialId));
  }
  const make = { kind: rules.rotator.origin === "minted" ? "mint" : "park", slot, rotation } as const;
  if (!isCandidate(pending, rotation, slot))
    return (
      adopts(seen, latest, rules) ??
      stillInUse(seen, latest, rules) ??
      preFlight(seen, latest, rules) ??
      makeRoom(seen, latest, rules) ??
      make
    );
  if (provider?.pending === "unknown") return pause(seen);
  if (isRefused(pending)) return make;
  if (provider?.pending === "accepted") return { kind: "publish", rotation };
  if (make.kind === "park") return { kind: "apply", rotation };
  // A minted value that the provider does not have cannot be set there: only another one helps. But a provider of many
  // replicas may not show yet what it has just made.
  return isYoung(seen, rules) ? pause(seen) : make;
}

/**
 * The candidate ends what is in the free slot, and that may have been latest until somebody stored another version, or
 * edited our tags: it is left alone until the dependents have moved on and the overlap has passed. A leak waits for
 * nobody, and of what was taken back nobody needs an overlap.
 */
function stillInUse(
  seen: Observation,
  { first, record, createdAt }: ReadableLatest,
  { rotator, overlap }: SecretRules,
): Action | undefined {
  const takesTurns = rotator.overlap === "dual" && rotator.slots.length > 0;
  if (first || !takesTurns || isPressing(seen, record)) return undefined;
  const child = rebuild(seen);
  if (child) return child;
  const { dependents, now } = seen;
  if (!dependents) return { kind: "observe", what: "dependents" };
  if (dependents.unconfirmed.length > 0) return { kind: "roll", groups: dependents.unconfirmed };
  const until = createdAt + (record.restores === undefined ? overlap : 0);
  return now < until ? { kind: "wait", until, reason: "slot" } : undefined;
}

/** A leak waits for nobody; and if the provider refuses latest, nobody can run on it: a new value is the cure. */
function isPressing({ provider }: Observation, { intent }: VersionRecord): boolean {
  return intent?.mode === "compromised" || provider?.latest === "rejected";
}

/** Nothing is begun while readers are down: they could not show whether they take the new value. Not for ever, though. */
function preFlight(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action | undefined {
  const patience = dueAt(latest, rules) + rules.rotateBefore / 2;
  if (isPressing(seen, latest.record) || seen.now >= patience) return undefined;
  if (!seen.derived) return { kind: "observe", what: "derived" };
  if (!seen.dependents) return { kind: "observe", what: "dependents" };
  if ((seen.dependents.down ?? []).length === 0) return undefined;
  const waited = seen.now - (latest.record.intent?.at ?? seen.now);
  const longer = Math.min(Math.max(downPause.least, waited / 10), downPause.most);
  return { kind: "wait", until: seen.now + longer, reason: "down" };
}

function notOfThem(key: string, id: string | undefined): string {
  return id
    ? `${key}: '${id}' is none of the policy's credentials`
    : `the value of ${key} is none of those that its provider has now; store one that works, then ask again`;
}

/**
 * What earlier mintings left behind counts towards the provider's limit. On a version that somebody else stored, an
 * orphan may well be what keyturn published before and the dependents still run on.
 */
function makeRoom(
  { provider }: Observation,
  { lineage, first }: ReadableLatest,
  { rotator, retire }: SecretRules,
): Action | undefined {
  const [orphan] = provider?.orphans ?? [];
  if (lineage === "foreign" && !first) return undefined;
  return rotator.origin === "minted" && retire && orphan !== undefined
    ? { kind: "revoke", credentialId: orphan }
    : undefined;
}

function isYoung({ pending, now }: Observation, { rotator }: SecretRules): boolean {
  return pending.kind === "parked" && now < pending.createdAt + rotator.propagation;
}

/**
 * What stands against replacing a value that somebody else wrote; nothing once a candidate is parked: the value was seen
 * to work then, and a single credential stops working the moment its candidate is applied.
 */
function adopts(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action | undefined {
  const { provider } = seen;
  // Disabled by hand because it is leaked: nobody can ask the provider about it, and it is not worth keeping.
  if (!latest.enabled) return undefined;
  if (provider?.latest === "unknown") return pause(seen);
  if (latest.lineage === "ours" || provider?.latest === "accepted") return derives(seen, latest, rules);
  const question =
    `the provider refuses the credential '${latest.credentialId}' in ${rules.key}, which keyturn did not make; ` +
    "store a value that works, then ask again";
  return setBack(seen, rules) ?? stop("cannot-adopt", question);
}

/** What could not be derived from the new value is told before there is one; a leak is not waited with for that. */
function derives(seen: Observation, { record }: ReadableLatest, rules: SecretRules): Action | undefined {
  if (record.intent?.mode === "compromised") return undefined;
  return seen.derived ? oddDerived(seen, rules) : { kind: "observe", what: "derived" };
}

function isRefused(pending: Pending): boolean {
  return pending.kind === "parked" && pending.refusals >= mostRefusals;
}

/** The slot that the published value does not use; the only one there is for a single credential. */
function freeSlot(inUse: string | undefined, { rotator }: SecretRules): string | undefined {
  if (rotator.slots.length === 0) return "";
  if (inUse === undefined || !rotator.slots.includes(inUse)) return undefined;
  return rotator.overlap === "single" ? inUse : rotator.slots.find((slot) => slot !== inUse);
}
