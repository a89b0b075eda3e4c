import { checkDependents } from "./check-dependents.ts";
import { checkDerived } from "./derived.ts";
import { lifetimeOf, rotationLoop } from "./lifetime.ts";
import type { PolicyParts, SecretPart } from "./parts.ts";
import type { Problem } from "./problem.ts";
import { parseResourceId } from "./resource-id.ts";
import { templateProblem } from "./template.ts";

/** What only shows when parts of the file are held against each other. */
export function crossCheck(parts: PolicyParts): Problem[] {
  return [
    ...notSupportedYet(parts),
    ...vaultsOnce(parts),
    ...parts.secrets.flatMap((secret) => [...vaultKnown(secret, parts), ...template(secret)]),
    ...secretsOnce(parts.secrets),
    ...targetsOnce(parts.secrets),
    ...checkDerived(parts.secrets),
    ...lifetimes(parts),
    ...checkDependents(parts),
  ];
}

/** The schema knows them, and nothing obeys them yet: a limit that does not bind would only look like one. */
const boundByNothing = [
  ["rollout", "perGroupPerHour"],
  ["rollout", "perHour"],
  ["sweep", "warn"],
  ["sweep", "page"],
] as const;

function notSupportedYet({ rollout, sweep, windows }: PolicyParts): Problem[] {
  const sections: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> = {
    rollout,
    sweep,
  };
  const problems: Problem[] = boundByNothing
    .filter(([section, setting]) => sections[section]?.[setting] !== undefined)
    .map(([section, setting]) => ({
      path: [section, setting],
      part: "key",
      text: `${setting} is not supported yet; leave it out`,
    }));
  if (rollout?.canary) {
    problems.push({ path: ["rollout", "canary"], text: "canary: true is not supported yet; leave it out" });
  }
  if (rollout && rollout.maxUnavailable !== 1) {
    problems.push({
      path: ["rollout", "maxUnavailable"],
      text: `found ${rollout.maxUnavailable}; more than one group at a time is not supported yet, set 1 or leave it out`,
    });
  }
  if (windows && windows.length > 0) {
    problems.push({ path: ["windows"], part: "key", text: "windows are not supported yet; leave them out" });
  }
  return problems;
}

function vaultsOnce({ vaults = [] }: PolicyParts): Problem[] {
  return repeated(vaults, ({ id }) => [vaultName(id)]).map(({ index, value }) => ({
    path: ["vaults", index, "id"],
    text: `found vault ${value} a second time; vault names are unique in all of Azure, remove one`,
  }));
}

function vaultKnown({ path, entry }: SecretPart, { vaults }: PolicyParts): Problem[] {
  const names = vaults?.map(({ id }) => vaultName(id));
  if (!names || names.includes(entry.vault.toLowerCase())) return [];
  const text = `unknown vault "${entry.vault}"; expected one of ${names.join(", ")}, or add it to vaults`;
  return [{ path: [...path, "vault"], text }];
}

function template({ path, entry, rotator }: SecretPart): Problem[] {
  const text = rotator && templateProblem(entry.value ?? rotator.template, rotator);
  if (!text) return [];
  if (entry.value !== undefined) return [{ path: [...path, "value"], text }];
  return [{ path, text: `${text} (no value is set, so ${rotator.id} uses ${rotator.template}; set value)` }];
}

function secretsOnce(secrets: readonly SecretPart[]): Problem[] {
  return repeated(secrets, ({ key }) => [key]).map(({ item, first }) => ({
    path: [...item.path, "name"],
    text: `found ${item.key} a second time; ${place(first)} is the same secret, remove one`,
  }));
}

/** Two secrets on one credential would each revoke what the other has just published. */
function targetsOnce(secrets: readonly SecretPart[]): Problem[] {
  return repeated(secrets, ({ rotator }) => rotator?.owns ?? []).map(({ item, first, value }) => ({
    path: [...item.path, "target"],
    text: `found a target that ${first.key} (${place(first)}) rotates too: ${value}; expected a credential of its own for each secret`,
  }));
}

function lifetimes({ defaults, secrets }: PolicyParts): Problem[] {
  if (!defaults) return [];
  const problems = new Map<string, Problem>();
  for (const { entry, path } of secrets.filter((secret) => secret.entry.from === undefined)) {
    const text = rotationLoop(lifetimeOf(entry, defaults));
    if (!text) continue;
    const own = (["validity", "rotateBefore", "minInterval", "overlap"] as const).find(
      (name) => entry[name] !== undefined,
    );
    // Many secrets that only follow bad defaults are one mistake, made in one place.
    const at = own ? [...path, own] : ["defaults", "validity"];
    problems.set(at.join("."), { path: at, text });
  }
  return [...problems.values()];
}

/** Items of which a value was seen before, without regard to case where `values` gives lower case. */
function repeated<T>(items: readonly T[], values: (item: T) => readonly string[]) {
  const seen = new Map<string, T>();
  return items.flatMap((item, index) =>
    values(item).flatMap((value) => {
      const first = seen.get(value);
      if (first === undefined) seen.set(value, item);
      return first === undefined || first === item ? [] : [{ item, first, index, value }];
    }),
  );
}

function place({ path }: SecretPart): string {
  return `secrets[${String(path[1])}]`;
}

function vaultName(id: string): string {
  return parseResourceId(id)?.name ?? id;
}
