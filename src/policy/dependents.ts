import { parseResourceId } from "./resource-id.ts";
import type { Dependent, SecretEntry } from "./schema.ts";

export type NamedGroup = Extract<Dependent, { group: string }>;

export function isNamedGroup(dependent: Dependent): dependent is NamedGroup {
  return "group" in dependent;
}

/** The groups of this secret that `after` can mean: by resource id or by the last part of it. */
export function groupsCalled(name: string, { dependents }: SecretEntry): string[] {
  const wanted = name.toLowerCase().replace(/\/$/, "");
  const groups = dependents.filter(isNamedGroup).map(({ group }) => group);
  return groups.filter((group) => group === wanted || shortName(group) === wanted);
}

export function shortName(group: string): string {
  return parseResourceId(group)?.name ?? group;
}
