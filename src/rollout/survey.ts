import type { KeyVault, SecretListing, Vaults } from "../azure/key-vault.ts";
import type { DerivedPolicy, SecretPolicy } from "../policy/policy.ts";
import { lookAtChildren } from "../rotation/children.ts";
import { provenLineage, restoredBy } from "../rotation/lineage.ts";
import { behind } from "../rotation/next-child.ts";
import { observe } from "../rotation/observe.ts";
import { published, readable } from "../rotation/observed.ts";
import { readRecord } from "../rotation/record.ts";
import { rotationId } from "../rotation/rotation-id.ts";
import { type RolloutPorts, resolveDependents } from "./dependents.ts";
import { groupFacts } from "./evidence.ts";
import type { Fleet, GroupFacts, Need, Publication } from "./state.ts";

export interface SurveyPorts extends RolloutPorts {
  readonly vaults: Vaults;
}

/** Finds every open rotation that is published, and looks at every group that reads one of those secrets. */
export async function survey(ports: SurveyPorts, signal: AbortSignal): Promise<Fleet> {
  const needs: Need[] = [];
  for (const [name, vault] of ports.vaults) {
    const mine = ports.policy.secrets.filter(
      (secret) =>
        secret.vault.name === name &&
        [secret, ...secret.children].some(({ dependents }) => dependents.length > 0),
    );
    if (mine.length === 0) continue;
    const listed = await listingsOf(vault, signal);
    const rolling = mine.filter((secret) => mayRoll(listed.get(secret.name.toLowerCase())));
    for (const secret of rolling) needs.push(...(await needsOf(secret, vault, ports, signal)));
  }
  const groups = new Map<string, GroupFacts>();
  for (const { group } of needs) {
    const key = group.toLowerCase();
    if (!groups.has(key)) groups.set(key, groupFacts(group, await ports.groups.get(group, signal)));
  }
  return { now: ports.clock.now(), needs, groups };
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

async function needsOf(
  secret: SecretPolicy,
  vault: KeyVault,
  ports: SurveyPorts,
  signal: AbortSignal,
): Promise<Need[]> {
  const latest = await vault.latest(secret.name, signal);
  if (!latest) return [];
  const { rotation, state, intent, hold } = readRecord(latest.tags);
  const versions = await vault.versions(secret.name, signal);
  const { lineage } = await provenLineage(
    latest,
    versions,
    (version) => rotationId(secret.vault.id, secret.name, version),
    async (version) => (await readable(vault.get(secret.name, version, signal))).stored,
  );
  // Before the next rotation of a version that is not the first, its dependents are brought onto that version.
  const asked = intent?.mode === "roll" || (intent?.mode === "routine" && versions.length > 1);
  if (!asked && (lineage === "foreign" || state !== "published")) return [];
  const children = await derivedFrom(secret, ports, signal);
  // Published means all of them: who reads two of them is restarted once.
  if (!children) return [];
  const own = { publishedAt: latest.createdAt, restored: restoredBy(latest, versions) };
  const urgent = hold?.leaked === true || intent?.mode === "compromised";
  const needs: Need[] = [];
  for (const { policy, publication } of [{ policy: secret, publication: own }, ...children]) {
    // Under the name of the secret that is rotated: it is confirmed when all that is derived from it is.
    const about = { ...publication, secret: secret.key, rotation, urgent };
    for (const { group, gate, after } of await resolveDependents(policy, ports, signal))
      needs.push({ group, gate, after, ...about });
  }
  return needs;
}

/** `undefined` as long as one of them is not published yet. */
async function derivedFrom(
  secret: SecretPolicy,
  ports: SurveyPorts,
  signal: AbortSignal,
): Promise<{ policy: DerivedPolicy; publication: Publication }[] | undefined> {
  if (secret.children.length === 0) return [];
  const observed = await lookAtChildren(
    secret,
    await observe(secret, undefined, ports, signal),
    ports,
    signal,
  );
  return behind(observed.facts) ? undefined : published(observed);
}
