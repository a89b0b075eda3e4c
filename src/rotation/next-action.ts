import type { Timestamp } from "../clock.ts";
import type { FaultCode } from "../errors.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { Mode } from "./record.ts";
import type { Observation, Pending, ReadableLatest } from "./state.ts";

/** One step, what still has to be looked at, when to look again, or who has to decide. */
export type Action =
  | { readonly kind: "look"; readonly at: "provider" | "dependents" }
  | { readonly kind: "write-intent"; readonly mode: Mode }
  | { readonly kind: "park"; readonly slot: string; readonly rotation: string }
  | { readonly kind: "mint"; readonly slot: string; readonly rotation: string }
  | { readonly kind: "apply"; readonly rotation: string }
  | { readonly kind: "publish"; readonly rotation: string }
  | { readonly kind: "reopen-pending"; readonly rotation: string }
  | { readonly kind: "repair"; readonly rotation: string }
  | { readonly kind: "settle-pending"; readonly rotation: string }
  | { readonly kind: "roll"; readonly groups: readonly string[] }
  | { readonly kind: "revoke"; readonly credentialId: string }
  | { readonly kind: "close" }
  | { readonly kind: "wait"; readonly until: Timestamp; readonly reason: "overlap" | "provider" }
  | {
      readonly kind: "idle";
      readonly until: Timestamp;
      readonly reason: "not-due" | "not-asked" | "superseded";
    }
  | { readonly kind: "stop"; readonly code: FaultCode; readonly question: string };

/** How long to leave a provider alone that could not be asked. */
const providerPause = 5_000;

export type Rules = Pick<
  SecretPolicy,
  "key" | "rotator" | "validity" | "rotateBefore" | "minInterval" | "overlap" | "retire"
>;

/**
 * Decides the next step of one secret's rotation from what can be seen. Pure and total: same facts, same action, and
 * every action may be repeated, so that a fresh process after a crash goes on where the world stands.
 */
export function nextAction(seen: Observation, rules: Rules): Action {
  const { latest } = seen;
  if (latest.kind === "missing") {
    return stop("secret-missing", `${rules.key} does not exist; store its first version, then ask again`);
  }
  if (latest.kind === "disabled") {
    return stop(
      "secret-disabled",
      `the latest version of ${rules.key} is disabled; enable it or store a new one`,
    );
  }
  if (isUnrecordedManualRequest(seen, latest)) return { kind: "write-intent", mode: "routine" };
  if (isOpenPublished(latest)) return afterPublish(seen, latest, rules);
  const intent = latest.record.intent;
  if (intent?.mode === "roll" && !startsByItself(seen, latest, rules)) return rollOnly(seen);
  if (intent && intent.mode !== "roll") return beforePublish(seen, latest, rules);
  return atRest(seen, latest, rules);
}

/** When this version should be replaced: `rotateBefore` its expiry, or its age if it has none. */
export function dueAt(
  latest: { createdAt: Timestamp; expiresAt: Timestamp | undefined },
  rules: Rules,
): Timestamp {
  return (latest.expiresAt ?? latest.createdAt + rules.validity) - rules.rotateBefore;
}

/** Published by us and not yet retired: the rotation that made it is still open. */
export function isOpenPublished(latest: ReadableLatest): boolean {
  return latest.lineage === "ours" && latest.record.state !== "retired";
}

function isDue(seen: Observation, latest: ReadableLatest, rules: Rules): boolean {
  // Our own versions are not replaced again within `minInterval`: that breaks the loop in which a new version is
  // near its expiry the moment it is born.
  const rested = latest.lineage === "foreign" || seen.now - latest.createdAt >= rules.minInterval;
  return rested && seen.now >= dueAt(latest, rules);
}

/** That a version was stored is no reason to replace it, however short its life: the near-expiry event follows. */
function startsByItself(seen: Observation, latest: ReadableLatest, rules: Rules): boolean {
  return seen.request?.trigger !== "new-version" && isDue(seen, latest, rules);
}

/** A person asked for a rotation of the very version that is latest, and nothing says so yet. */
function isUnrecordedManualRequest({ request }: Observation, latest: ReadableLatest): boolean {
  const intended = latest.record.intent !== undefined && latest.record.intent.mode !== "roll";
  return request?.trigger === "manual" && request.version === latest.version && !intended;
}

function atRest(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  if (startsByItself(seen, latest, rules)) return { kind: "write-intent", mode: "routine" };
  const { request } = seen;
  const newer = request?.trigger === "manual" && request.version !== latest.version;
  if (newer) {
    return { kind: "idle", until: dueAt(latest, rules), reason: "superseded" };
  }
  const somebodyWrote = request?.trigger === "new-version" && latest.lineage === "foreign" && !latest.first;
  if (somebodyWrote && latest.record.state !== "retired") return { kind: "write-intent", mode: "roll" };
  const until = dueAt(latest, rules);
  return { kind: "idle", until, reason: until <= seen.now ? "not-asked" : "not-due" };
}

function rollOnly(seen: Observation): Action {
  if (!seen.dependents) return { kind: "look", at: "dependents" };
  if (seen.dependents.unconfirmed.length > 0) return { kind: "roll", groups: seen.dependents.unconfirmed };
  return { kind: "close" };
}

function beforePublish(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  if (latest.credentialId === undefined) {
    return stop(
      "cannot-adopt",
      `the text of ${rules.key} does not fit the policy's template; correct the template or store a value that fits`,
    );
  }
  const { provider } = seen;
  if (!provider) return { kind: "look", at: "provider" };
  if (provider.missing.length > 0) {
    return stop("target-missing", `${rules.key}: not found at the provider: ${provider.missing.join(", ")}`);
  }
  return prepareCandidate(seen, latest, rules);
}

function prepareCandidate(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { pending, provider } = seen;
  const { rotation } = latest;
  const slot = freeSlot(latest.credentialId, rules);
  if (slot === undefined) {
    return stop("slot-unknown", `${rules.key}: '${latest.credentialId}' is none of the policy's credentials`);
  }
  const make = { kind: rules.rotator.origin === "minted" ? "mint" : "park", slot, rotation } as const;
  if (!isCandidate(pending, rotation, slot)) return adopts(seen, latest, rules) ?? make;
  if (provider?.pending === "unknown") return pause(seen);
  if (provider?.pending === "accepted") return { kind: "publish", rotation };
  // A minted value that the provider does not have any more cannot be set there: only another one helps.
  return make.kind === "mint" ? make : { kind: "apply", rotation };
}

/**
 * What stands against replacing a value that somebody else wrote; nothing once a candidate is parked: the value was seen
 * to work then, and a single credential stops working the moment its candidate is applied.
 */
function adopts(seen: Observation, latest: ReadableLatest, rules: Rules): Action | undefined {
  const { provider } = seen;
  if (provider?.latest === "unknown") return pause(seen);
  if (latest.lineage === "ours" || provider?.latest === "accepted") return undefined;
  return stop(
    "cannot-adopt",
    `the provider refuses the credential '${latest.credentialId}' in ${rules.key}, which keyturn did not make; ` +
      "store a value that works, then ask again",
  );
}

/** Parked by this rotation, for the slot that is free now, and not the value that is latest already. */
function isCandidate(pending: Pending, rotation: string, slot: string): boolean {
  if (pending.kind !== "parked" || pending.rotation !== rotation || pending.equalsLatest) return false;
  return slot === "" ? pending.credentialId !== undefined : pending.credentialId === slot;
}

/** The slot that the published value does not use; the only one there is for a single credential. */
function freeSlot(inUse: string | undefined, { rotator }: Rules): string | undefined {
  if (rotator.slots.length === 0) return "";
  if (inUse === undefined || !rotator.slots.includes(inUse)) return undefined;
  return rotator.overlap === "single" ? inUse : rotator.slots.find((slot) => slot !== inUse);
}

function afterPublish(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { provider, pending, dependents } = seen;
  const rotation = latest.record.rotation ?? "";
  if (!provider) return { kind: "look", at: "provider" };
  if (provider.latest === "unknown") return pause(seen);
  if (provider.latest === "refused") return repair(seen, rotation, rules);
  if (pending.kind === "parked" && pending.rotation === rotation) return { kind: "settle-pending", rotation };
  if (!dependents) return { kind: "look", at: "dependents" };
  if (dependents.unconfirmed.length > 0) return { kind: "roll", groups: dependents.unconfirmed };
  const retireAt = latest.createdAt + rules.overlap;
  if (seen.now < retireAt) return { kind: "wait", until: retireAt, reason: "overlap" };
  return retire(seen, latest, rules);
}

/**
 * The provider refuses what we published: somebody changed it there. It is set to our value again, but only after the
 * candidate has shown that the value is ours: tags alone prove nothing.
 */
function repair({ pending }: Observation, rotation: string, rules: Rules): Action {
  if (rules.rotator.origin === "chosen" && pending.kind === "none")
    return { kind: "reopen-pending", rotation };
  const isOurs = pending.kind === "parked" && pending.rotation === rotation && pending.equalsLatest;
  if (rules.rotator.origin === "chosen" && isOurs) return { kind: "repair", rotation };
  return stop(
    "foreign-version",
    `the provider refuses the latest version of ${rules.key}, and that is not the value keyturn made; ` +
      "store a value that works, then ask again",
  );
}

/** Only a slot whose present value is the replaced one, and not the one in use, is ever revoked. */
function retire(seen: Observation, latest: ReadableLatest, rules: Rules): Action {
  const { replaced, provider } = seen;
  const [orphan] = provider?.orphans ?? [];
  if (orphan !== undefined) return { kind: "revoke", credentialId: orphan };
  const old = replaced?.credentialId;
  if (!old || old === latest.credentialId || !isKnown(old, rules) || !rules.retire) return { kind: "close" };
  if (provider?.replaced === "unknown") return pause(seen);
  return provider?.replaced === "accepted" ? { kind: "revoke", credentialId: old } : { kind: "close" };
}

/** Of the target's slots; where there are none, any id that the provider has confirmed. */
function isKnown(id: string, { rotator }: Rules): boolean {
  return rotator.slots.length === 0 || rotator.slots.includes(id);
}

function pause(seen: Observation): Action {
  return { kind: "wait", until: seen.now + providerPause, reason: "provider" };
}

function stop(code: FaultCode, question: string): Action {
  return { kind: "stop", code, question };
}
