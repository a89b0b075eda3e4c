import type { SecretPolicy } from "../../policy/policy.ts";
import type { Acceptance } from "../../rotators/rotator.ts";
import type { Observation, ProviderFacts } from "../model/observation.ts";
import type { ReadVersion, Snapshot } from "../model/snapshot.ts";
import { labelOf, type RotationPorts, rotatorContext } from "../ports.ts";
import { readRecord } from "../record/tags.ts";

/** Asks the provider which of the values we hold it accepts, and under which ids it knows them. */
export async function observeProvider(
  secret: SecretPolicy,
  observed: Snapshot,
  ports: RotationPorts,
  signal: AbortSignal,
): Promise<Snapshot> {
  const asked = places.flatMap((place) => {
    const credential = observed[place]?.credential;
    return credential ? [{ place, credential }] : [];
  });
  const known = asked.map(({ credential }) => credential);
  const context = { ...rotatorContext(ports, signal), label: labelOf(secret) };
  const sighting = await secret.rotator.observe(known, context);
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
function slotOfChosen({ rotator }: SecretPolicy, held: ReadVersion | undefined): string | undefined {
  if (rotator.origin !== "chosen" || !held || held.credential?.id) return undefined;
  const recorded = readRecord(held.stored.tags).credential;
  return rotator.slots.find((slot) => slot === recorded);
}

/** What the texts did not tell, the provider has: a bare key does not say which of the two it is. */
function withIds(observed: Snapshot, idOf: (place: Place) => string | undefined): Snapshot {
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

const places = ["latest", "pending", "replaced", "overtaken"] as const;

type Place = (typeof places)[number];
