import { groupsCalled, isNamedGroup, shortName } from "./dependents.ts";
import type { Path } from "./document.ts";
import type { PolicyParts, SecretPart } from "./parts.ts";
import type { Problem } from "./problem.ts";
import { isWithin } from "./resource-id.ts";
import type { Dependent } from "./schema.ts";

/** `group` is restarted after `before`. */
interface Edge {
  readonly group: string;
  readonly before: string;
  readonly path: Path;
}

export function checkDependents(parts: PolicyParts): Problem[] {
  const problems = parts.secrets.flatMap((secret) => [
    ...secret.entry.dependents.flatMap((dependent, index) =>
      checkDependent(dependent, [...secret.path, "dependents", index], parts),
    ),
    ...twice(secret),
    ...unknownAfter(secret),
  ]);
  return [...problems, ...circle(parts.secrets.flatMap(edges))];
}

function checkDependent(dependent: Dependent, path: Path, { scopes, self }: PolicyParts): Problem[] {
  const problems: Problem[] = [];
  if (dependent.strategy !== "restart") {
    const text = `strategy "${dependent.strategy}" is not supported yet; use restart`;
    problems.push({ path: [...path, "strategy"], text });
  }
  if (!isNamedGroup(dependent)) {
    const text = "found discover without scopes to look in; add a resource group to scopes";
    return scopes?.length === 0 ? [...problems, { path: [...path, "discover"], text }] : problems;
  }
  const at = [...path, "group"];
  if (dependent.probe) {
    problems.push({
      path: [...path, "probe"],
      part: "key",
      text: "probe is not supported yet; leave it out",
    });
  }
  if (dependent.group === self) {
    problems.push({
      path: at,
      text: "found keyturn's own group (self); a restart would cut off its own rotation, remove it",
    });
  }
  if (scopes && !scopes.some((scope) => isWithin(dependent.group, scope))) {
    const text = `found ${shortName(dependent.group)}, which lies in none of the scopes; expected a group in one of them, or add its resource group to scopes`;
    problems.push({ path: at, text });
  }
  return problems;
}

function twice({ path, entry }: SecretPart): Problem[] {
  const names = entry.dependents.map((dependent) =>
    isNamedGroup(dependent) ? dependent.group : `tag ${dependent.discover.tag.toLowerCase()}`,
  );
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: [...path, "dependents", index],
            text: `found ${shortName(name)} a second time; remove one`,
          },
        ],
  );
}

function unknownAfter({ path, entry }: SecretPart): Problem[] {
  return entry.dependents.flatMap((dependent, index) =>
    !isNamedGroup(dependent)
      ? []
      : dependent.after.flatMap((name, position) => {
          const { length } = groupsCalled(name, entry);
          const at = [...path, "dependents", index, "after", position];
          if (length === 0) {
            return [
              {
                path: at,
                text: `found "${name}", which names no group among this secret's dependents; add it or remove this`,
              },
            ];
          }
          return length === 1
            ? []
            : [{ path: at, text: `found "${name}", which names several groups; write the resource id` }];
        }),
  );
}

function edges({ path, entry }: SecretPart): Edge[] {
  return entry.dependents.flatMap((dependent, index) =>
    !isNamedGroup(dependent)
      ? []
      : dependent.after.flatMap((name, position) => {
          const [before] = groupsCalled(name, entry);
          const at = [...path, "dependents", index, "after", position];
          return before === undefined ? [] : [{ group: dependent.group, before, path: at }];
        }),
  );
}

/**
 * Over all secrets at once: one roller restarts for all open rotations, so orders that are fine for each secret can
 * still wait for each other. Only the first circle is reported; the next shows when it is mended.
 */
function circle(all: readonly Edge[]): Problem[] {
  const beforeOf = Map.groupBy(all, ({ group }) => group);
  for (const { group, before, path } of all) {
    const way = wayTo(group, before, beforeOf);
    if (!way) continue;
    const names = [group, ...way].map(shortName).join(" after ");
    return [
      { path, text: `found a circle: ${names}; expected an order with a beginning, remove one of them` },
    ];
  }
  return [];
}

/** The groups from `start` along `after` until `goal`, both included. */
function wayTo(goal: string, start: string, beforeOf: ReadonlyMap<string, Edge[]>): string[] | undefined {
  const reached = new Map<string, string | undefined>([[start, undefined]]);
  for (const group of reached.keys()) {
    if (group === goal) return trace(goal, reached);
    for (const { before } of beforeOf.get(group) ?? []) if (!reached.has(before)) reached.set(before, group);
  }
  return undefined;
}

function trace(goal: string, reached: ReadonlyMap<string, string | undefined>): string[] {
  const way: string[] = [];
  for (let group: string | undefined = goal; group !== undefined; group = reached.get(group))
    way.unshift(group);
  return way;
}
