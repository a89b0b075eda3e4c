import type { KeyVault, SecretVersion, StoredSecret } from "../azure/key-vault.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import { unconfirmedDependents } from "../rollout/dependents.ts";
import type { Acceptance } from "../rotators/rotator.ts";
import { parse } from "../rotators/secret-text.ts";
import { provenLineage, restoredBy } from "./lineage.ts";
import {
  type Held,
  labelOf,
  type Observed,
  pendingName,
  published,
  readable,
  type RotationPorts,
  rotatorContext,
  vaultOf,
} from "./observed.ts";
import { readRecord } from "./record.ts";
import { rotationId } from "./rotation-id.ts";
import type { Latest, Observation, Pending, ProviderFacts, Request, VersionFacts } from "./state.ts";

export type { RotationPorts } from "./observed.ts";

const places = ["latest", "pending", "replaced"] as const;
type Place = (typeof places)[number];

/** Looks at Key Vault: the latest version, the one it replaced, the candidate. */
export async function observe(
  secret: SecretPolicy,
  request: Request | undefined,
  ports: Pick<RotationPorts, "vaults" | "clock">,
  signal: AbortSignal,
): Promise<Observed> {
  const vault = vaultOf(secret, ports.vaults);
  const latest = await readable(vault.latest(secret.name, signal));
  const pending = await readable(vault.latest(pendingName(secret.name), signal));
  const versions = latest.stored ? await vault.versions(secret.name, signal) : [];
  const { replaced, facts } = await readLineage(secret, vault, latest.stored, versions, signal);
  const held = {
    latest: hold(secret, latest.stored),
    pending: hold(secret, pending.stored),
    replaced: hold(secret, replaced),
  };
  return {
    ...held,
    children: [],
    facts: {
      now: ports.clock.now(),
      request,
      latest: latestFacts(secret, held.latest, latest.disabled, facts, versions),
      replaced: facts.from && versionFacts(facts.from, held.replaced),
      pending: pendingFacts(held.pending, held.latest),
      provider: undefined,
      children: secret.children.length === 0 ? [] : undefined,
      dependents: undefined,
    },
  };
}

/** Asks the provider which of the values we hold it accepts, and under which ids it knows them. */
export async function lookAtProvider(
  secret: SecretPolicy,
  observed: Observed,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<Observed> {
  const asked = places.flatMap((place) => {
    const credential = observed[place]?.credential;
    return credential ? [{ place, credential }] : [];
  });
  const known = asked.map(({ credential }) => credential);
  const context = { ...rotatorContext(ports, signal), label: labelOf(secret) };
  const sighting = await secret.rotator.look(known, context);
  const indexOf = (place: Place) => asked.findIndex((entry) => entry.place === place);
  const answer = (place: Place): Acceptance => sighting.accepts[indexOf(place)] ?? "unknown";
  const provider: ProviderFacts = {
    latest: answer("latest"),
    pending: answer("pending"),
    replaced: answer("replaced"),
    missing: secret.rotator.slots.filter((slot) => !sighting.exists.includes(slot)),
    orphans: sighting.orphans ?? [],
  };
  const idOf = (place: Place) =>
    sighting.ids?.[indexOf(place)] ||
    (place === "pending" ? slotOfChosen(secret, observed.pending) : undefined);
  return withIds({ ...observed, facts: { ...observed.facts, provider } }, idOf);
}

/** A value that we chose and no provider has heard of yet: if its text does not tell the slot, only our record does. */
function slotOfChosen({ rotator }: SecretPolicy, held: Held | undefined): string | undefined {
  if (rotator.origin !== "chosen" || !held || held.credential?.id) return undefined;
  const recorded = readRecord(held.stored.tags).credential;
  return rotator.slots.find((slot) => slot === recorded);
}

/** What the texts did not tell, the provider has: a bare key does not say which of the two it is. */
function withIds(observed: Observed, idOf: (place: Place) => string | undefined): Observed {
  const identified = (place: Place) => {
    const held = observed[place];
    // The provider knows better than a tag, which may have been copied from another version.
    const id = idOf(place) || held?.credential?.id;
    return held?.credential && id ? { ...held, credential: { ...held.credential, id } } : held;
  };
  const held = {
    latest: identified("latest"),
    pending: identified("pending"),
    replaced: identified("replaced"),
  };
  const credentialId = (place: Place) => ({ credentialId: held[place]?.credential?.id });
  const { latest, pending, replaced } = observed.facts;
  const facts: Observation = {
    ...observed.facts,
    latest: latest.kind === "readable" ? { ...latest, ...credentialId("latest") } : latest,
    pending: pending.kind === "parked" ? { ...pending, ...credentialId("pending") } : pending,
    replaced: replaced && { ...replaced, ...credentialId("replaced") },
  };
  return { ...observed, ...held, facts };
}

/** Looks which dependents are confirmed on the latest version, and those of its children on theirs. */
export async function lookAtDependents(
  secret: SecretPolicy,
  observed: Observed,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<Observed> {
  const { latest } = observed.facts;
  if (latest.kind !== "readable") return observed;
  const publication = { publishedAt: latest.createdAt, restored: latest.restored };
  const found = [await unconfirmedDependents(secret, publication, ports, signal)];
  for (const { policy, publication: each } of published(observed))
    found.push(await unconfirmedDependents(policy, each, ports, signal));
  const unconfirmed = [...new Set(found.flatMap((each) => each.unconfirmed))];
  const confirmed = found.reduce((sum, each) => sum + each.confirmed, 0);
  return { ...observed, facts: { ...observed.facts, dependents: { unconfirmed, confirmed } } };
}

async function readLineage(
  secret: SecretPolicy,
  vault: KeyVault,
  latest: StoredSecret | undefined,
  versions: readonly SecretVersion[],
  signal: AbortSignal,
) {
  if (!latest) return { facts: { lineage: "foreign" as const, from: undefined }, replaced: undefined };
  const facts = await provenLineage(
    latest,
    versions,
    (version) => rotationId(secret.vault.id, secret.name, version),
    async (version) => (await readable(vault.get(secret.name, version, signal))).stored,
  );
  const readsOld = facts.from?.enabled && readRecord(latest.tags).state !== "retired";
  if (!readsOld) return { facts, replaced: undefined };
  // Somebody may have disabled it since the versions were listed; that tells the same as the list would.
  return { facts, replaced: (await readable(vault.get(secret.name, facts.from.version, signal))).stored };
}

/** Where there are no slots, the id is not in the text either: our record may name it, and the provider confirm it. */
function hold(secret: SecretPolicy, stored: StoredSecret | undefined): Held | undefined {
  if (!stored) return undefined;
  const parsed = parse(secret.rotator, secret.template, stored.value);
  const id = parsed?.id || (secret.rotator.slots.length === 0 && readRecord(stored.tags).credential) || "";
  return { stored, credential: parsed && { ...parsed, id } };
}

function latestFacts(
  secret: SecretPolicy,
  held: Held | undefined,
  disabled: boolean,
  { lineage }: { lineage: "ours" | "foreign" },
  versions: readonly SecretVersion[],
): Latest {
  if (!held) return { kind: disabled ? "disabled" : "missing" };
  const { version } = held.stored;
  const rotation = rotationId(secret.vault.id, secret.name, version);
  return {
    kind: "readable",
    lineage,
    first: versions.length <= 1,
    rotation,
    restored: restoredBy(held.stored, versions),
    ...versionFacts(held.stored, held),
  };
}

function versionFacts(version: SecretVersion, held: Held | undefined): VersionFacts {
  return {
    version: version.version,
    enabled: version.enabled,
    createdAt: version.createdAt,
    expiresAt: version.expiresAt,
    record: readRecord(version.tags),
    credentialId: held?.credential?.id,
  };
}

function pendingFacts(pending: Held | undefined, latest: Held | undefined): Pending {
  if (!pending) return { kind: "none" };
  const record = readRecord(pending.stored.tags);
  return {
    kind: "parked",
    version: pending.stored.version,
    createdAt: pending.stored.createdAt,
    rotation: record.rotation,
    refusals: record.hold?.failures ?? 0,
    credentialId: pending.credential?.id,
    equalsLatest: latest !== undefined && latest.stored.value.equals(pending.stored.value),
  };
}
