import type { CloudName } from "../../azure/clouds.ts";
import type { KeyKind } from "./key-kind.ts";
import { keyKinds } from "./kinds.ts";

/** A resource with keys, as the policy names it. */
export interface KeyedResource {
  /** ARM id as written. */
  readonly id: string;
  readonly kind: KeyKind;
  /** The names in the id below its resource group, outermost first. */
  readonly names: readonly string[];
}

/** Strict on purpose: an id becomes part of a request path, so nothing that a URL would resolve or decode passes. */
const name = String.raw`(?!\.{1,2}(?:/|$))[\w.~-]+`;
const format = new RegExp(
  String.raw`^/subscriptions/[\w-]+/resourceGroups/(?!\.{1,2}/)[-\p{L}\p{N}_.()]+/providers/([\w.]+)((?:/\w+/${name})+)$`,
  "iu",
);

const byType = new Map(
  keyKinds.flatMap((kind) => kind.types.map((type) => [type.toLowerCase(), kind] as const)),
);

/** `undefined` if it is not an id, or if the table has no such type. */
export function keyedResource(id: string): KeyedResource | undefined {
  const [, namespace, path] = format.exec(id) ?? [];
  if (namespace === undefined || path === undefined) return undefined;
  const steps = path.split("/").slice(1);
  const types = steps.filter((_, index) => index % 2 === 0);
  const kind = byType.get([namespace, ...types].join("/").toLowerCase());
  return kind && { id, kind, names: steps.filter((_, index) => index % 2 === 1) };
}

/** Types of the table, to say what is known. */
export function knownTypes(): string[] {
  return keyKinds.flatMap(({ types }) => types);
}

/** What templates may name: the parts of the id, and the host where the id tells it. */
export function fieldsOf({ kind, names }: KeyedResource, cloud: CloudName): Record<string, string> {
  const parts = kind.parts.map((part, index) => [part, names[index] ?? ""] as const);
  const suffix = kind.domain?.[domainsOf(cloud)];
  const host = hostOf({ kind, names }, cloud);
  return { ...Object.fromEntries(parts), ...(suffix && { suffix }), ...(host && { host }) };
}

/** The host that the id tells; `undefined` if it tells none. */
export function hostOf(
  { kind, names }: Pick<KeyedResource, "kind" | "names">,
  cloud: CloudName,
): string | undefined {
  const suffix = kind.domain?.[domainsOf(cloud)];
  return suffix && [names[0]?.toLowerCase(), kind.subdomain, suffix].filter(Boolean).join(".");
}

function domainsOf(cloud: CloudName): Exclude<CloudName, "custom"> {
  return cloud === "custom" ? "public" : cloud;
}
