import { z } from "zod";
import type { Application, ClientSecret, Graph } from "../azure/graph/graph.ts";
import type { Millis, Timestamp } from "../clock.ts";
import { Fault } from "../errors.ts";
import { credentialName, namePrefix } from "../providers/labels.ts";
import type { SecretValue } from "../secret-value.ts";
import { type Acceptance, type Credential, defineRotator, type RotatorContext } from "./rotator.ts";

const Guid = z.guid("a GUID").toLowerCase();
const Target = z.strictObject({
  tenant: Guid,
  /** Object id of the application: what Graph calls `id`. */
  application: Guid,
  /** Its client id: what Graph calls `appId`. */
  client: Guid,
  /** How long a new client secret lives; never shorter than the version that holds it. */
  validDays: z.int().min(1).max(730).optional(),
});
type Target = z.infer<typeof Target>;

/** Seen to take up to 18 s, and nobody promises anything: https://github.com/microsoftgraph/microsoft-graph-docs/issues/17966 */
const propagation: Millis = 2 * 60_000;
/** Younger ones may be on their way from a mint to their parking place. */
const orphanAge: Millis = 60 * 60_000;
const day: Millis = 24 * 60 * 60_000;
/** The one in use, the next one, and one whose answer was lost. */
const most = 3;
/** Documented for certificates (`keyCredential`), where longer names are cut without a word. */
const nameLimit = 90;

/** Client secret of an Entra application: many live side by side, so minting adds one and revoking removes one. */
export const entraClientSecret = defineRotator<Target>({
  id: "entra-client-secret",
  summary: "a client secret of a Microsoft Entra application",
  origin: "minted",
  target: Target,
  propagation,
  roles: ["Microsoft Graph Application.ReadWrite.OwnedBy, and owner of the application"],
  template: "{password}",
  overlap: () => "dual",
  slots: () => [],
  owns: ({ tenant, application }) => [`entra://${tenant}/${application}`],
  fields: ({ client, tenant }) => ({ client, tenant }),
  async mint(target, { label, expiresAt }, { providers: { graph }, now, signal }) {
    const { secrets } = await applicationOf(target, graph, signal);
    const living = secrets.filter((secret) => isNamed(secret, label) && isLive(secret, now));
    if (living.length >= most) {
      throw new Fault(
        "too-many-credentials",
        `${place(target)} has ${living.length} client secrets of this name that nobody has retired; ` +
          "remove those that are not in use, then ask again",
      );
    }
    const endsAt = Math.max(expiresAt, now + (target.validDays ?? 0) * day);
    const displayName = credentialName(label, nameLimit);
    const { keyId, value } = await graph.addPassword(target.application, { displayName, endsAt }, signal);
    return { id: keyId, value };
  },
  async observe(target, known, { providers: { graph }, now, signal, label }) {
    const { secrets } = await applicationOf(target, graph, signal);
    const works = await Promise.all(known.map(({ value }) => signsIn(target, graph, value, signal)));
    const asked = known.map((credential, index) => ({
      credential,
      works: works[index] ?? false,
      entry: entryOf(credential, secrets, now),
    }));
    const isHeld = (secret: ClientSecret) =>
      asked.some(({ credential, entry }) => (entry ? entry === secret : couldBe(credential, secret)));
    const isOrphan = (secret: ClientSecret) =>
      label !== undefined && isNamed(secret, label) && ageOf(secret, now) >= orphanAge && !isHeld(secret);
    return {
      exists: secrets.map(({ keyId }) => keyId),
      accepts: asked.map((one) => acceptanceOf(one, now)),
      ids: asked.map((one) => (one.works ? one.entry?.keyId : undefined)),
      orphans: secrets.filter(isOrphan).map(({ keyId }) => keyId),
    };
  },
  async verify(target, { id, value }, { providers: { graph }, now, signal }) {
    if (await signsIn(target, graph, value, signal)) return;
    const { secrets } = await applicationOf(target, graph, signal);
    const entry = secrets.find(({ keyId }) => keyId === id.toLowerCase());
    if (entry && couldBe({ id, value }, entry) && isYoung(entry, now)) {
      throw new Fault(
        "propagation-pending",
        `${place(target)} does not know its new client secret ${id} yet`,
      );
    }
    throw new Fault("credential-rejected", `Entra refuses the client secret ${id} of ${place(target)}`);
  },
  async revoke(target, credentialId, { providers: { graph }, signal }) {
    if (!Guid.safeParse(credentialId).success) {
      throw new Fault("slot-unknown", `"${credentialId}" is no id of a client secret of ${place(target)}`);
    }
    await graph.removePassword(target.application, credentialId, signal);
  },
});

/** Looks also whether object id and client id belong together: else one application gets what another one uses. */
async function applicationOf(target: Target, graph: Graph, signal: AbortSignal): Promise<Application> {
  const application = await graph.application(target.application, signal);
  if (application.clientId === target.client) return application;
  throw new Fault(
    "target-missing",
    `${place(target)} has the client id ${application.clientId}, but the policy says ${target.client}`,
  );
}

function signsIn({ tenant, client }: Target, graph: Graph, value: SecretValue, signal: AbortSignal) {
  return graph.signIn(tenant, client, value, signal);
}

interface Asked {
  readonly credential: Credential;
  readonly works: boolean;
  readonly entry: ClientSecret | undefined;
}

function acceptanceOf({ credential, works, entry }: Asked, now: Timestamp): Acceptance {
  // It works but is not listed: just added or just removed, and one of the two answers is from the past.
  if (works) return entry || credential.id === "" ? "accepted" : "unknown";
  return entry && isYoung(entry, now) ? "unknown" : "rejected";
}

/** The entry that a record names if it can hold this value, else the only live one that can. */
function entryOf(credential: Credential, secrets: readonly ClientSecret[], now: Timestamp) {
  const named = secrets.find(({ keyId }) => keyId === credential.id.toLowerCase());
  if (named && couldBe(credential, named)) return named;
  const possible = secrets.filter(
    (secret) => isLive(secret, now) && secret.hint && couldBe(credential, secret),
  );
  return possible.length === 1 ? possible[0] : undefined;
}

/** Nothing else is known of a value at Graph, and of old ones not even that. */
function couldBe({ value }: Credential, { hint }: ClientSecret): boolean {
  return !hint || value.reveal().startsWith(hint);
}

function isNamed({ displayName }: ClientSecret, label: string): boolean {
  return displayName?.startsWith(namePrefix(label, nameLimit)) ?? false;
}

function isLive({ endsAt }: ClientSecret, now: Timestamp): boolean {
  return endsAt === undefined || endsAt > now;
}

function isYoung(secret: ClientSecret, now: RotatorContext["now"]): boolean {
  return secret.startsAt !== undefined && ageOf(secret, now) < propagation;
}

/** Milliseconds; 0 if Graph does not tell. */
function ageOf({ startsAt }: ClientSecret, now: Timestamp): Millis {
  return startsAt === undefined ? 0 : now - startsAt;
}

function place({ application }: Target): string {
  return `the application ${application}`;
}
