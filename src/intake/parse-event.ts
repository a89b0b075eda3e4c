import { z } from "zod";
import { Fault } from "../errors.ts";
import type { VaultPolicy } from "../policy/policy.ts";
import { normaliseId, parseResourceId, resourceTypes } from "../policy/resource-id.ts";

/** Bytes. An event of Key Vault has about 700. */
const sizeLimit = 64 * 1024;

/** Event Grid sends one event per message; more than a few are somebody else's doing. */
const eventLimit = 100;

/** The events that concern secrets; those of keys, certificates and access policies are not for us. */
const eventTypes = [
  "Microsoft.KeyVault.SecretNearExpiry",
  "Microsoft.KeyVault.SecretExpired",
  "Microsoft.KeyVault.SecretNewVersionCreated",
] as const;
export type EventType = (typeof eventTypes)[number];

/** What an event claims. It only asks to look: nothing in it says where to connect, and all of it is checked again. */
export interface VaultEvent {
  readonly id: string;
  readonly type: EventType;
  /** ARM id, in lower case. */
  readonly vaultId: string;
  readonly name: string;
  readonly version: string;
  readonly subject: string;
}

/**
 * The events in the body of a message, in CloudEvents 1.0 or Event Grid's own schema, one or an array of them; a fault
 * takes the place of an event that cannot be used. Never empty, never throws, and no fault quotes the body. Each is
 * checked against `vaults` for the host that its id names.
 */
export function parseEvents(body: unknown, vaults: readonly VaultPolicy[]): (VaultEvent | Fault)[] {
  const parsed = parseJson(body);
  if (parsed instanceof Fault) return [parsed];
  const items: unknown[] = Array.isArray(parsed.json) ? parsed.json : [parsed.json];
  if (items.length === 0 || items.length > eventLimit)
    return [new Fault("message-invalid", `the message is an array of ${items.length} events`)];
  return items.map((item) => parseEvent(item, vaults));
}

/** The size is known before anything is read; V8 parses JSON of any depth without recursion. */
function parseJson(body: unknown): { readonly json: unknown } | Fault {
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    return new Fault("message-not-json", "the body of the message is not bytes");
  const size = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
  if (size > sizeLimit)
    return new Fault("message-too-large", `the message has ${size} bytes; at most ${sizeLimit} are read`);
  try {
    const text = typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body);
    return { json: JSON.parse(text) };
  } catch {
    // A SyntaxError quotes the text, so it is not kept as the cause.
    return new Fault("message-not-json", "the body of the message is not JSON in UTF-8");
  }
}

/** Azure's page on these events shows keys in camel case, in Pascal case, and with a space behind: `"ObjectName "`. */
const foldKeys = z.preprocess((value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key.trim().toLowerCase(), item] as const);
  // Two keys that become one could be read as either, so neither is believed.
  return new Set(entries.map(([key]) => key)).size < entries.length ? undefined : Object.fromEntries(entries);
}, z.looseObject({}));

const Text = z.string().trim().min(1).max(512);

/** Nothing but what a plain Key Vault URL is made of: no user, no query, no escapes, no dot segments. */
const SecretId = Text.regex(
  /^https:\/\/[a-z0-9.-]+(:[0-9]{1,5})?\/secrets\/[a-z0-9-]{1,127}\/[0-9a-f]{32}$/i,
).transform((url) => {
  const [, , host = "", , name = "", version = ""] = url.split("/");
  return { origin: `https://${host.toLowerCase()}`, name, version: version.toLowerCase() };
});

/** `NBF` and `EXP` come as numbers, as text or as null; they are not read, since the vault knows better. */
const Data = foldKeys.pipe(
  z.object({
    id: SecretId,
    vaultname: Text.nullish(),
    objecttype: Text.nullish(),
    objectname: Text.nullish(),
    version: Text.nullish(),
  }),
);

const VaultId = Text.refine((text) => parseResourceId(text)?.type === resourceTypes.vault);
const EventId = z.string().regex(/^[\x21-\x7e]{1,64}$/);
const common = { id: EventId, subject: Text, data: Data };
const CloudEvent = z.object({ ...common, specversion: z.literal("1.0"), type: Text, source: VaultId });
const GridEvent = z
  .object({ ...common, eventtype: Text, topic: VaultId })
  .transform(({ eventtype, topic, ...rest }) => ({ ...rest, type: eventtype, source: topic }));
type Envelope = z.infer<typeof GridEvent>;

function parseEvent(item: unknown, vaults: readonly VaultPolicy[]): VaultEvent | Fault {
  const folded = foldKeys.safeParse(item);
  if (!folded.success) return new Fault("message-invalid", "the event is not an object with distinct keys");
  const isCloudEvent = "specversion" in folded.data;
  const named: unknown = isCloudEvent ? folded.data.type : folded.data.eventtype;
  // Before the rest: events about keys carry other data.
  const type = eventTypes.find((known) => known === named);
  if (typeof named === "string" && !type)
    return new Fault("unknown-event-type", "the event is not about the expiry or a new version of a secret");
  const parsed = (isCloudEvent ? CloudEvent : GridEvent).safeParse(folded.data);
  if (!parsed.success || !type) return invalid(parsed.error);
  const disputed = disagreement(parsed.data, vaults);
  if (disputed)
    return new Fault("message-invalid", `the event contradicts itself: ${disputed} does not fit data.Id`);
  const { id, subject, source, data } = parsed.data;
  return { id, type, vaultId: normaliseId(source), name: data.id.name, version: data.id.version, subject };
}

/** Names the fields, which are ours; what stands in them is somebody else's. */
function invalid(error: z.ZodError | undefined): Fault {
  const fields = [...new Set(error?.issues.map((issue) => issue.path.join(".") || "event"))];
  return new Fault("message-invalid", `the event does not have the expected form: ${fields.join(", ")}`);
}

/** The field that tells another vault, secret or version than `data.Id` does. */
function disagreement(
  { source, subject, data }: Envelope,
  vaults: readonly VaultPolicy[],
): string | undefined {
  const { origin, name, version } = data.id;
  const vault = vaults.find((it) => it.id === normaliseId(source));
  const vaultName = parseResourceId(source)?.name;
  const claims: [field: string, claimed: string | null | undefined, expected: string | undefined][] = [
    ["subject", subject, name],
    ["data.ObjectName", data.objectname, name],
    ["data.ObjectType", data.objecttype, "secret"],
    ["data.Version", data.version, version],
    ["data.VaultName", data.vaultname, vaultName],
    // A vault that the policy does not name is refused later, whatever its host.
    ["source", vault?.url, origin],
  ];
  return claims.find(
    ([, claimed, expected]) => claimed && claimed.toLowerCase() !== expected?.toLowerCase(),
  )?.[0];
}
