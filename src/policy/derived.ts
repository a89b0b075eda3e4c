import type { SecretPart } from "./parts.ts";
import type { Problem } from "./problem.ts";
import { templateProblem } from "./template.ts";

/** The secret that an entry is derived from, as `vault/name` in lower case. */
function parentOf({ entry }: SecretPart): string | undefined {
  if (entry.from === undefined) return undefined;
  return (entry.from.includes("/") ? entry.from : `${entry.vault}/${entry.from}`).toLowerCase();
}

/** The chain from an entry up to the one that has a rotator, both included; it ends early where it leads nowhere. */
function chainOf(secret: SecretPart, all: readonly SecretPart[]): SecretPart[] {
  const chain = [secret];
  for (let above = parentOf(secret); above !== undefined; ) {
    const parent = all.find(({ key }) => key === above);
    if (!parent || chain.includes(parent)) break;
    chain.push(parent);
    above = parentOf(parent);
  }
  return chain;
}

/** Everything that is derived from this secret, directly or not, parents before what is derived from them. */
export function descendantsOf({ key }: SecretPart, all: readonly SecretPart[]): SecretPart[] {
  const derived = all.filter((other) => parentOf(other) === key);
  return derived.flatMap((child) => [child, ...descendantsOf(child, all)]);
}

/** What is granted by the signature in it: its own, or that of the secret it is derived from. */
export function sasOf(secret: SecretPart, all: readonly SecretPart[]): SecretPart["entry"]["sas"] {
  return chainOf(secret, all).find(({ entry }) => entry.sas)?.entry.sas;
}

export function checkDerived(all: readonly SecretPart[]): Problem[] {
  return [
    ...all.flatMap((secret) => (secret.entry.from === undefined ? sasAlone(secret) : check(secret, all))),
    ...circle(all),
  ];
}

function sasAlone({ path, entry }: SecretPart): Problem[] {
  const text = "found sas without from; expected from: the secret with the key to sign with";
  return entry.sas ? [{ path: [...path, "sas"], part: "key", text }] : [];
}

function check(secret: SecretPart, all: readonly SecretPart[]): Problem[] {
  const { path, entry } = secret;
  const root = chainOf(secret, all).at(-1);
  const known = all.some(({ key }) => key === parentOf(secret));
  const text = `unknown secret "${entry.from}"; expected the name of another secret of this policy, or vault/name`;
  if (!known) return [...notItsOwn(secret), { path: [...path, "from"], text }];
  return [...notItsOwn(secret), ...(root?.rotator ? content(secret, root, all) : [])];
}

const parents = ["validity", "rotateBefore", "minInterval", "overlap", "attempts", "retire"] as const;

/** When and how it is rotated is its parent's. */
function notItsOwn({ path, entry }: SecretPart): Problem[] {
  const given = [
    ...(entry.rotator === undefined ? [] : ["rotator"]),
    ...(Object.keys(entry.target).length === 0 ? [] : ["target"]),
    ...parents.filter((name) => entry[name] !== undefined),
  ];
  return given.map((name) => ({
    path: [...path, name],
    part: "key",
    text: `found ${name} beside from; a derived secret is rotated with its parent, so that is set there; remove one`,
  }));
}

function content(secret: SecretPart, root: SecretPart, all: readonly SecretPart[]): Problem[] {
  const { path, entry } = secret;
  const { rotator } = root;
  if (!rotator) return [];
  const problems: Problem[] = [];
  const inherited = chainOf(secret, all)
    .slice(1)
    .find((above) => above.entry.sas);
  if (entry.sas && !rotator.signs) {
    const text = `found sas, but ${root.key} has no key that signs; expected a parent with rotator azure-key on a storage account`;
    problems.push({ path: [...path, "sas"], part: "key", text });
  } else if (entry.sas && inherited) {
    const text = `found sas, but ${inherited.key} is a shared access signature already; derive this one from ${root.key}`;
    problems.push({ path: [...path, "sas"], part: "key", text });
  }
  if (entry.value === undefined && !entry.sas) {
    problems.push({ path: [...path, "value"], text: "missing; expected the template of its text" });
  }
  const wrong = entry.value !== undefined && templateProblem(entry.value, rotator);
  return wrong ? [...problems, { path: [...path, "value"], text: wrong }] : problems;
}

/** Only the first circle is told; the next shows when it is mended. */
function circle(all: readonly SecretPart[]): Problem[] {
  for (const secret of all) {
    const chain = chainOf(secret, all);
    const last = chain.at(-1);
    if (last && parentOf(last) === secret.key) {
      const names = [...chain, secret].map(({ key }) => key).join(" from ");
      const text = `found a circle: ${names}; expected a chain that ends at a secret with a rotator`;
      return [{ path: [...secret.path, "from"], text }];
    }
  }
  return [];
}
