import { type Action, doesNotFit, pause, type SecretRules, stop } from "../model/action.ts";
import type { Observation, ReadableLatest, VersionFacts } from "../model/observation.ts";
import { oddDerived, rebuild } from "./derived.ts";
import { isKnown, isNamed, whichOne } from "./own-credentials.ts";

/** Somebody stored a version while a rotation was under way: it is on top of ours, or of the one we were to replace. */
export function isUnfinished({ overtaken, replaced, pending }: Observation, latest: ReadableLatest): boolean {
  if (latest.lineage === "ours") return false;
  return overtaken !== undefined || (replaced !== undefined && pending.kind === "parked");
}

/**
 * Nothing is rotated, but the readers are moved onto the version that somebody stored, if it works; then what that
 * version has overtaken is retired, as it would have been if ours had stayed latest.
 */
export function followLatest(seen: Observation, latest: ReadableLatest, rules: SecretRules): Action {
  const against = standsAgainst(seen, latest, rules);
  if (against) return against;
  const { pending, overtaken } = seen;
  if (isUnfinished(seen, latest) && pending.kind === "parked")
    return { kind: "settle-pending", rotation: pending.rotation ?? "" };
  const child = rebuild(seen);
  if (child) return child;
  if (!seen.dependents) return { kind: "observe", what: "dependents" };
  const { unconfirmed, others = [] } = seen.dependents;
  if (unconfirmed.length > 0) return { kind: "roll", groups: unconfirmed };
  const odd = oddDerived(seen, rules);
  if (odd) return odd;
  const retired = overtaken && retireOvertaken(seen, latest, overtaken, rules);
  if (retired) return retired;
  return others.length > 0 ? { kind: "roll", groups: others } : { kind: "close" };
}

/** Why nobody is to be restarted onto latest: it cannot be read, or the provider refuses it. */
export function standsAgainst(
  seen: Observation,
  latest: ReadableLatest,
  rules: SecretRules,
): Action | undefined {
  if (latest.credentialId === undefined) return doesNotFit(rules);
  const { provider } = seen;
  if (!provider) return { kind: "observe", what: "provider" };
  if (provider.latest === "unknown") return pause(seen);
  if (provider.latest === "accepted") return undefined;
  const question =
    `the provider refuses the latest version of ${rules.key}, which keyturn did not make; ` +
    "nobody is restarted onto it; store a value that works";
  const code = isUnfinished(seen, latest) ? "foreign-version" : "cannot-adopt";
  return setBack(seen, rules) ?? stop(code, question);
}

/**
 * While the candidate is parked nobody was moved yet: the readers hold what the version before says. A single credential
 * that was changed under them is made to accept that again, since it was seen to work; never what somebody else stored.
 */
export function setBack(seen: Observation, { rotator }: Pick<SecretRules, "rotator">): Action | undefined {
  const { pending, provider, replaced, overtaken } = seen;
  if (rotator.overlap !== "single" || rotator.origin !== "chosen" || pending.kind !== "parked")
    return undefined;
  if (!replaced?.enabled || replaced.credentialId === undefined) return undefined;
  if (overtaken && overtaken.record.rotation !== pending.rotation) return undefined;
  const isOurs = provider?.pending === "accepted" && provider.replaced === "rejected";
  return isOurs ? { kind: "set-back", to: "replaced" } : undefined;
}

/** Ours first, then the one it had replaced: each only as long as the provider accepts it and latest is another one. */
function retireOvertaken(
  seen: Observation,
  latest: ReadableLatest,
  overtaken: VersionFacts,
  rules: SecretRules,
): Action | undefined {
  const retireAt = latest.createdAt + rules.overlap;
  if (seen.now < retireAt) return { kind: "wait", until: retireAt, reason: "overlap" };
  const old = [
    { version: overtaken, acceptance: seen.provider?.overtaken },
    { version: seen.replaced, acceptance: seen.provider?.replaced },
  ] as const;
  for (const { version, acceptance } of old) {
    const id = version?.enabled ? version.credentialId : undefined;
    if (id === undefined || id === latest.credentialId || !rules.retire) continue;
    if (id === "" && isNamed(rules) && acceptance === "accepted") return whichOne(rules);
    if (!id || !isKnown(id, rules)) continue;
    if (acceptance === "unknown") return pause(seen);
    if (acceptance === "accepted") return { kind: "revoke", credentialId: id };
  }
  return overtaken.enabled ? { kind: "disable", version: overtaken.version } : undefined;
}
