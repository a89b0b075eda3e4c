import { attemptEach } from "../attempt-each.ts";
import type { KeyVault, SecretListing } from "../azure/key-vault.ts";
import { resolveDependents } from "../dependents/dependents.ts";
import { waiverOf } from "../dependents/fingerprint.ts";
import type { GroupFacts } from "../dependents/group-facts.ts";
import { groupFacts } from "../dependents/standing.ts";
import type { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { ReadableLatest } from "../rotation/model/observation.ts";
import { behind, isLeaked, isOpenPublished } from "../rotation/model/predicates.ts";
import { type Snapshot, published } from "../rotation/model/snapshot.ts";
import { observeDerived } from "../rotation/observe/derived.ts";
import { observeSecret } from "../rotation/observe/secret.ts";
import type { RotationPorts } from "../rotation/ports.ts";
import { observeAndDecide } from "../rotation/reconcile.ts";
import { readRecord } from "../rotation/record/tags.ts";
import type { Fleet, Need } from "./fleet.ts";

export interface FleetPorts extends RotationPorts {
  readonly log: Log;
}

export interface FleetSnapshot {
  readonly fleet: Fleet;
  /** Why vaults, secrets or groups could not be looked at; they are left out of the fleet. */
  readonly faults: readonly Fault[];
}

/** Finds every open rotation that is published, and looks at every group that reads one of those secrets. */
export async function observeFleet(ports: FleetPorts, signal: AbortSignal): Promise<FleetSnapshot> {
  const { attempt, faults } = attemptEach(ports.log, signal);
  const needs: Need[] = [];
  for (const [vault, mine] of secretsByVault(ports)) {
    const rolling = await attempt({ vault }, () => rollingIn(vault, mine, ports, signal));
    for (const secret of rolling ?? [])
      needs.push(...((await attempt({ secret: secret.key }, () => needsOf(secret, ports, signal))) ?? []));
  }
  const groups = new Map<string, GroupFacts>();
  for (const [key, group] of new Map(needs.map((need) => [need.group.toLowerCase(), need.group]))) {
    const look = async () => groupFacts(group, await ports.groups.get(group, signal));
    const facts = await attempt({ group }, look);
    if (facts) groups.set(key, facts);
  }
  return { fleet: { now: ports.clock.now(), needs, groups }, faults };
}

/** Those that somebody reads. */
function secretsByVault({ policy }: FleetPorts): Map<string, SecretPolicy[]> {
  const read = policy.secrets.filter((secret) =>
    [secret, ...secret.derived].some(({ dependents }) => dependents.length > 0),
  );
  return Map.groupBy(read, ({ vault }) => vault.name);
}

async function rollingIn(
  name: string,
  secrets: readonly SecretPolicy[],
  { vaults }: FleetPorts,
  signal: AbortSignal,
): Promise<SecretPolicy[]> {
  const vault = vaults.get(name);
  if (!vault) return [];
  const listed = await listingsOf(vault, signal);
  return secrets.filter((secret) => mayRoll(listed.get(secret.name.toLowerCase())));
}

async function listingsOf(vault: KeyVault, signal: AbortSignal): Promise<Map<string, SecretListing>> {
  const listed = new Map<string, SecretListing>();
  for await (const listing of vault.list(signal)) listed.set(listing.name.toLowerCase(), listing);
  return listed;
}

/** The list already tells which secrets are at rest, without a read each. */
function mayRoll(listing: SecretListing | undefined): boolean {
  if (!listing?.enabled) return false;
  const { state, intent } = readRecord(listing.tags);
  return state === "published" || intent?.mode === "roll" || intent?.mode === "routine";
}

async function needsOf(secret: SecretPolicy, ports: FleetPorts, signal: AbortSignal): Promise<Need[]> {
  const observed = await whatRolls(secret, ports, signal);
  const latest = observed?.facts.latest;
  if (!observed || latest?.kind !== "readable") return [];
  const { intent, hold, rotation } = latest.record;
  const own = { publishedAt: latest.createdAt, restored: latest.restored };
  // Without an overlap there is nothing left to wait for: whoever still holds the old value is refused already.
  const isRefused = secret.rotator.overlap === "single";
  const urgent = hold?.leaked === true || intent?.mode === "compromised" || isRefused;
  const needs: Need[] = [];
  for (const { policy, publication } of [{ policy: secret, publication: own }, ...published(observed)]) {
    // Under the name of the secret that is rotated: it is confirmed when all that is derived from it is.
    const about = { ...publication, secret: secret.key, rotation, urgent };
    for (const { group, gate, after } of await resolveDependents(policy, ports, signal))
      if (!hold?.waived?.includes(waiverOf(group))) needs.push({ group, gate, after, ...about });
  }
  return needs;
}

/**
 * Only what is published with all that is derived from it: who reads two of them is restarted once. But where the old
 * credential is dead, nobody is kept waiting.
 */
async function whatRolls(
  secret: SecretPolicy,
  ports: FleetPorts,
  signal: AbortSignal,
): Promise<Snapshot | undefined> {
  const observed = await observeSecret(secret, undefined, ports, signal);
  const { latest } = observed.facts;
  if (latest.kind !== "readable" || latest.record.intent?.mode === "rolling-back") return undefined;
  if (!isOpenPublished(latest)) return followers(secret, latest, ports, signal);
  const all = await observeDerived(secret, observed, ports, signal);
  const mayWait = secret.rotator.overlap === "dual" && !isLeaked(latest);
  return behind(all.facts) && mayWait ? undefined : all;
}

/** Readers follow a version that somebody else stored only if it was asked for, and its provider accepts it. */
async function followers(
  secret: SecretPolicy,
  { record: { intent }, first, lineage }: ReadableLatest,
  ports: FleetPorts,
  signal: AbortSignal,
): Promise<Snapshot | undefined> {
  const asked = intent?.mode === "roll" || (intent?.mode === "routine" && !first);
  if (!asked) return undefined;
  const { observed, action } = await observeAndDecide(secret, undefined, ports, signal);
  // Readers of our own version that are down hold up its replacement, not the other way round.
  if (lineage === "ours" && action.kind === "wait" && action.reason === "down") return undefined;
  return action.kind !== "stop" && observed.facts.provider?.latest === "accepted" ? observed : undefined;
}
