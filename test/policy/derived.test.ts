import { expect, test } from "vitest";
import { loadPolicy } from "../../src/policy/load.ts";
import { findSecretByKey } from "../../src/policy/lookup.ts";
import { rotators } from "../../src/rotators/index.ts";
import { groupId, load, policyText, problemsOf } from "./fixtures.ts";

const parent = `
  - vault: prod-kv
    name: orders-db
    rotator: login
    target: { host: db, users: [a, b] }
    value: "{username}:{password}"`;

/** The parent's lines end in line 11; what is given starts in line 12. */
function withParent(lines: string): string {
  return policyText({ secrets: `${parent}\n${lines}` });
}

const child = "  - vault: prod-kv\n    name: orders-url\n";
const value = '    value: "db://{username}:{password:url}@{host}"\n';

test("a derived secret belongs to its parent, and so does what is derived from it, in that order", () => {
  const policy = load(
    withParent(`
  - { vault: prod-kv, name: third, from: prod-kv/Orders-URL, value: "<{username} {password}>" }
  - vault: prod-kv
    name: orders-url
    from: orders-db
    contentType: text/x-url
    dependents: [{ group: "${groupId("reports")}" }]
${value}`),
  );
  expect(policy.secrets.map(({ key }) => key)).toEqual(["prod-kv/orders-db"]);
  const [root] = policy.secrets;
  expect(root?.derived).toMatchObject([
    {
      key: "prod-kv/orders-url",
      template: "db://{username}:{password:url}@{host}",
      contentType: "text/x-url",
      sas: undefined,
      dependents: [{ kind: "group", group: groupId("reports").toLowerCase() }],
    },
    { key: "prod-kv/third" },
  ]);
  expect(findSecretByKey(policy, "PROD-KV/third")).toBe(root);
});

test("a shared access signature takes the words of the file in Azure's letters and order", () => {
  const account = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/data/providers";
  const { secrets } = loadPolicy(
    policyText({
      secrets: `
  - vault: prod-kv
    name: blob-key
    rotator: azure-key
    target: { resource: ${account}/Microsoft.Storage/storageAccounts/orders }
  - vault: prod-kv
    name: account-sas
    from: blob-key
    sas: { services: [file, blob], resources: [object, service], permissions: [list, read, update] }
  - vault: prod-kv
    name: sas-url
    from: container-sas
    value: "https://{host}/in?{password}"
  - vault: prod-kv
    name: container-sas
    from: blob-key
    sas: { container: inbox, permissions: [list, create, read] }
`,
    }),
    { file: "policy.yaml", rotators },
  );
  const container = { kind: "container", container: "inbox", permissions: "rcl" };
  expect(secrets[0]?.derived).toMatchObject([
    {
      key: "prod-kv/account-sas",
      template: "{password}",
      sas: { kind: "account", services: "bf", resourceTypes: "so", permissions: "rlu" },
    },
    { key: "prod-kv/container-sas", sas: container },
    { key: "prod-kv/sas-url", template: "https://{host}/in?{password}", sas: container },
  ]);
});

type Case = readonly [why: string, text: string, ...problems: (readonly [at: string, says: string])[]];

const cases: readonly Case[] = [
  [
    "an unknown parent",
    withParent(`${child}    from: order-db\n${value}`),
    ["14:11", 'unknown secret "order-db"'],
  ],
  [
    "itself as its parent",
    withParent(`${child}    from: orders-url\n${value}`),
    ["14:11", "found a circle: prod-kv/orders-url from prod-kv/orders-url; expected a chain that ends"],
  ],
  [
    "a circle",
    withParent(
      `${child}    from: third\n${value}  - { vault: prod-kv, name: third, from: orders-url, value: "x" }\n`,
    ),
    ["14:11", "found a circle: prod-kv/orders-url from prod-kv/third from prod-kv/orders-url"],
  ],
  [
    "a rotator beside from, and times of its own",
    withParent(
      `${child}    from: orders-db\n    rotator: plain\n    validity: 60d\n    retire: false\n${value}`,
    ),
    ["15:5", "found rotator beside from; a derived secret is rotated with its parent"],
    ["16:5", "found validity beside from"],
    ["17:5", "found retire beside from"],
  ],
  [
    "neither rotator nor from",
    withParent(`${child}${value}`),
    ["12:5", "missing; expected text of 1 to 64 characters, or from"],
  ],
  ["no value", withParent(`${child}    from: orders-db\n`), ["12:5", "missing; expected the template"]],
  [
    "a value over fields that the parent does not have",
    withParent(`${child}    from: orders-db\n    value: "{port} {username} {password}"\n`),
    ["15:12", "found {port}; expected only fields of login"],
  ],
  [
    "a value that does not tell the parent's credentials apart",
    withParent(`${child}    from: orders-db\n    value: "{password}"\n`),
    ["15:12", "found nothing that tells a from b"],
  ],
  [
    "a signature of a parent that does not sign",
    withParent(`${child}    from: orders-db\n    sas: { container: inbox, permissions: [read] }\n`),
    ["15:5", "found sas, but prod-kv/orders-db has no key that signs"],
  ],
  [
    "a signature without a parent",
    withParent(`${child}    rotator: plain\n    sas: { container: inbox, permissions: [read] }\n`),
    ["15:5", "found sas without from"],
  ],
  [
    "a signature with a signature",
    policyText({
      secrets: `
  - { vault: prod-kv, name: key, rotator: signer }
  - { vault: prod-kv, name: one, from: key, sas: { container: inbox, permissions: [read] } }
  - { vault: prod-kv, name: two, from: one, sas: { container: inbox, permissions: [read] } }
`,
    }),
    ["9:45", "found sas, but prod-kv/one is a shared access signature already"],
  ],
  [
    "words that a signature does not have",
    withParent(
      `${child}    from: orders-db\n    sas: { container: Inbox, permissions: [process] }\n${value}`,
    ),
    ["15:23", "expected the name of a blob container"],
    ["15:44", "expected a list of read, add, create, write, delete, list"],
  ],
  [
    "the name of a secret that is there already",
    withParent(`  - vault: prod-kv\n    name: orders-db\n    from: orders-db\n${value}`),
    ["13:11", "found prod-kv/orders-db a second time"],
  ],
];

test.each(cases.map(([why, text, ...problems]) => ({ why, text, problems })))(
  "$why is refused",
  ({ text, problems }) => {
    const found = problemsOf(text);
    for (const [at, says] of problems) {
      const named = found.filter((line) => line.includes(says) && line.startsWith(`policy.yaml:${at}`));
      expect(named, found.join("\n")).toHaveLength(1);
    }
  },
);
