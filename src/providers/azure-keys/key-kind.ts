import { z } from "zod";
import type { Millis } from "../../clock.ts";
import { SecretValue } from "../../secret-value.ts";

/** A key as the provider lists it. */
export interface ListedKey {
  readonly value: SecretValue;
  /** Its id, where the provider calls it by one that is not its name. */
  readonly id?: string;
}

/** By the name of the key. */
export type ListedKeys = ReadonlyMap<string, ListedKey>;

/** How a key is proven by use. */
export type DataPlaneName = "storage" | "service-bus" | "event-hubs" | "cosmos" | "ai-services" | "ai-search";

/** Domains per cloud; one of the operator's own has those of the public cloud. */
export type Domain = Readonly<Record<"public" | "usgovernment" | "china", string>>;

/** One kind of resource with keys that take turns. Operations are POSTs under the resource's ARM id. */
export interface KeyKind {
  /** Resource types that share all this, as Azure writes them. */
  readonly types: readonly string[];
  readonly apiVersion: string;
  readonly list: string;
  /** The call that replaces one key and leaves the others alone. */
  regenerate(name: string, key: ListedKey): { readonly operation: string; readonly body?: object };
  /** Keys that take turns; the first pair is the default. Keys of different pairs have different rights. */
  readonly pairs: readonly (readonly [string, string])[];
  /** The keys in an answer, as many as are there. */
  read(answer: unknown): ListedKeys;
  /** How long the provider may take to learn of a new key; 0 where the old one dies at once. */
  readonly propagation: Millis;
  /** What the names in the id are called in templates, outermost first. */
  readonly parts: readonly string[];
  /** Hosts are `<outermost name>.<subdomain.><domain>`. Absent where the id does not tell the host. */
  readonly domain?: Domain;
  readonly subdomain?: string;
  /** The secret's text with `as: connectionString`. */
  readonly connectionString?: string;
  /** That text holds the key's id as well, since clients sign with both. */
  readonly idInText?: true;
  /** Absent: a key counts as working as soon as it is listed. */
  readonly dataPlane?: DataPlaneName;
}

type Given = Pick<KeyKind, "types" | "apiVersion" | "regenerate" | "parts">;
type Shape = Pick<KeyKind, "pairs" | "read">;

/** A row of the table: what is not given is what most providers have. */
export function kind(given: Given & Shape & Partial<KeyKind>): KeyKind {
  return { list: "listKeys", propagation: 0, ...given };
}

export function domain(everywhere: string, usgovernment: string, china: string): Domain {
  return { public: everywhere, usgovernment, china };
}

/** `operation` with `{ [property]: <name of the key> }`. */
export function byBody(operation: string, property: string): KeyKind["regenerate"] {
  return (name) => ({ operation, body: { [property]: name } });
}

/** An answer with one property per key. `keys`: name of a key -> its property; two by two they take turns. */
export function properties(keys: Readonly<Record<string, string>>): Shape {
  const Answer = z.record(z.string(), z.unknown());
  const names = Object.keys(keys);
  return {
    pairs: names.flatMap((name, index) => {
      const next = names[index + 1];
      return index % 2 === 0 && next !== undefined ? [[name, next] as const] : [];
    }),
    read(answer) {
      const body = Answer.safeParse(answer).data ?? {};
      const found = Object.entries(keys).map(([name, property]) => [name, body[property]] as const);
      return new Map(found.flatMap(([name, text]) => (isKey(text) ? [[name, toKey(text)]] : [])));
    },
  };
}

/** An answer with a list of keys in `list`, each with its name in `name`; or with one such key alone. */
export function listed(list: string, name: string): KeyKind["read"] {
  const Entry = z
    .looseObject({ [name]: z.string() })
    .transform((entry) => ({ ...entry, name: entry[name] }))
    .pipe(z.object({ name: z.string(), value: z.string().min(1), id: z.string().optional() }));
  const Answer = z.union([
    z.object({ [list]: z.array(Entry) }).transform((answer) => answer[list] ?? []),
    Entry.transform((entry) => [entry]),
  ]);
  return (answer) => {
    const entries = Answer.safeParse(answer).data ?? [];
    return new Map(entries.map((entry) => [entry.name, toKey(entry.value, entry.id)]));
  };
}

function isKey(text: unknown): text is string {
  return typeof text === "string" && text !== "";
}

function toKey(text: string, id?: string): ListedKey {
  return { value: new SecretValue(text), ...(id === undefined ? {} : { id }) };
}
