import type { SecretVersion } from "../../azure/key-vault.ts";
import type { SecretPolicy } from "../../policy/policy.ts";
import { lookAtReaders } from "../../dependents/confirmation.ts";
import { type Confirmations } from "../../dependents/confirmation.ts";
import type { Acceptance } from "../../rotators/rotator.ts";
import { claimedId, hold, versionFacts } from "./credential.ts";
import { restoredBy } from "../record/lineage.ts";
import { type Held, type Observed, published } from "../model/snapshot.ts";
import { newestIn } from "../record/newest.ts";
import { readable } from "../record/newest.ts";
import { vaultOf } from "../ports.ts";
import { labelOf } from "../ports.ts";
import { rotatorContext } from "../ports.ts";
import { pendingName } from "../ports.ts";
import { type RotationPorts } from "../ports.ts";
import { factsOf, lookBack, type Past } from "./history.ts";
import { readRecord } from "../record/tags.ts";
import { rotationId } from "../record/rotation-id.ts";
import type { Latest, Observation, Pending, ProviderFacts, Request } from "../model/observation.ts";

const places = ["latest", "pending", "replaced", "overtaken"] as const;
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
  const versions = latest.stored || latest.disabled ? await vault.versions(secret.name, signal) : [];
  const shown = latest.disabled ? leakedLatest(versions, request) : undefined;
  const held = {
    latest: latest.stored ? hold(secret, latest.stored) : shown && { stored: shown, credential: undefined },
    pending: hold(secret, pending.stored),
  };
  const past = await lookBack({ secret, vault, versions, ...held }, signal);
  return {
    ...held,
    replaced: past.replaced?.held,
    overtaken: past.overtaken?.held,
    children: [],
    facts: {
      now: ports.clock.now(),
      request,
      latest: latestFacts(secret, held.latest, latest.disabled, past, versions),
      replaced: factsOf(past.replaced),
      overtaken: factsOf(past.overtaken),
      pending: pendingFacts(held.pending, held.latest),
      provider: undefined,
      children: secret.children.length === 0 ? [] : undefined,
      dependents: undefined,
    },
  };
}

/** Whoever disables a leaked version and says so need not enable it again: what has to be known is in its tags. */
function leakedLatest(
  versions: readonly SecretVersion[],
  request: Request | undefined,
): SecretVersion | undefined {
  const newest = newestIn(versions);
  const isAsked = request?.mode === "compromised" && request.version === newest?.version;
  return newest && (isAsked || readRecord(newest.tags).intent?.mode === "compromised") ? newest : undefined;
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
    overtaken: answer("overtaken"),
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
    overtaken: identified("overtaken"),
  };
  const credentialId = (place: Place) => ({ credentialId: held[place]?.credential?.id });
  const { latest, pending, replaced, overtaken } = observed.facts;
  const facts: Observation = {
    ...observed.facts,
    latest: latest.kind === "readable" && latest.enabled ? { ...latest, ...credentialId("latest") } : latest,
    pending: pending.kind === "parked" ? { ...pending, ...credentialId("pending") } : pending,
    replaced: replaced && { ...replaced, ...credentialId("replaced") },
    overtaken: overtaken && { ...overtaken, ...credentialId("overtaken") },
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
  const waived = latest.record.hold?.waived;
  const own = { publishedAt: latest.createdAt, restored: latest.restored };
  const readers = [
    { policy: secret, publication: own, recorded: latest.record.dependents },
    ...published(observed),
  ];
  const found: Confirmations[] = [];
  for (const { policy, publication, recorded } of readers)
    found.push(await lookAtReaders(policy, { ...publication, waived, recorded }, ports, signal));
  const dependents = {
    unconfirmed: [...new Set(found.flatMap(({ unconfirmed }) => unconfirmed))],
    confirmed: sum(found.map(({ confirmed }) => confirmed)),
    down: found.flatMap(({ down }) => down),
    others: [...new Set(found.flatMap(({ others }) => others))],
    lost: sum(found.map(({ lost }) => lost)),
  };
  return { ...observed, facts: { ...observed.facts, dependents } };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function latestFacts(
  secret: SecretPolicy,
  held: Held | undefined,
  disabled: boolean,
  { lineage, between }: Pick<Past, "lineage" | "between">,
  versions: readonly SecretVersion[],
): Latest {
  if (!held) return { kind: disabled ? "disabled" : "missing" };
  const { stored } = held;
  return {
    kind: "readable",
    lineage,
    first: versions.length <= 1,
    between,
    otherTags: Object.keys(stored.tags).filter((name) => !name.startsWith("keyturn-")).length,
    rotation: rotationId(secret.vault.id, secret.name, stored.version),
    restored: restoredBy(stored, versions),
    ...versionFacts(stored, held),
    ...(stored.enabled ? {} : { credentialId: claimedId(secret, stored) }),
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
    equalsLatest: isSame(latest, pending),
  };
}

function isSame(latest: Held | undefined, { stored }: Held): boolean {
  return stored.value !== undefined && latest?.stored.value?.equals(stored.value) === true;
}
