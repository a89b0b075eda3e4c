import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { loadPolicy } from "../../src/policy/load.ts";
import { rotators as registry } from "../../src/rotators/index.ts";
import { apps, groupId, load, policyText, problemsOf, vaultId } from "./fixtures.ts";

const day = 24 * 60 * 60 * 1000;

test("a short policy gets the documented defaults", () => {
  const text = policyText();

  const policy = load(text);

  expect(policy).toMatchObject({
    cloud: "public",
    digest: createHash("sha256").update(text).digest("hex"),
    scopes: [apps.toLowerCase()],
    self: undefined,
    rollout: {
      maxUnavailable: 1,
      settle: 60_000,
      deadline: 600_000,
      coalesce: 60_000,
      skew: 60_000,
    },
    sweep: { every: day / 24, deep: day },
    worker: { lock: 30_000, stalledCheck: 5000, concurrency: 5, drain: 25_000 },
  });
  expect(policy.secrets).toHaveLength(1);
  expect(policy.secrets[0]).toMatchObject({
    key: "prod-kv/session-key",
    validity: 90 * day,
    rotateBefore: 30 * day,
    minInterval: day,
    overlap: day,
    attempts: 8,
    retire: true,
    contentType: undefined,
    template: "{password}",
    dependents: [],
  });
});

test("a secret's own settings win over the defaults, and these over the built-in ones", () => {
  const [first, second] = load(
    policyText({
      head: "defaults: { validity: 120d, attempts: 3, contentType: text/plain, retire: false }",
      secrets: `
  - { vault: prod-kv, name: one, rotator: plain }
  - { vault: prod-kv, name: two, rotator: plain, validity: 45d, rotateBefore: 20d, minInterval: 2d, overlap: 10m, attempts: 1, contentType: a/b, retire: true }`,
    }),
  ).secrets;

  expect(first).toMatchObject({
    validity: 120 * day,
    overlap: day,
    attempts: 3,
    contentType: "text/plain",
    retire: false,
  });
  expect(second).toMatchObject({
    validity: 45 * day,
    rotateBefore: 20 * day,
    minInterval: 2 * day,
    overlap: 600_000,
    attempts: 1,
    contentType: "a/b",
    retire: true,
  });
});

test("ids are compared and kept in lower case, and vault names without regard to case", () => {
  const policy = load(
    policyText({
      head: `self: ${groupId("Keyturn")}/`,
      secrets: `
  - vault: Prod-KV
    name: Orders-DB
    rotator: login
    target: { host: Db, users: [a, b] }
    value: "{username}:{password}"
    dependents:
      - group: ${groupId("Billing").toUpperCase()}
      - group: ${groupId("Orders")}
        after: [BILLING]
        gate: false
      - discover: { tag: keyturn-secrets }`,
    }),
  );

  expect(policy.self).toBe(groupId("keyturn").toLowerCase());
  expect(policy.vaults).toEqual([
    { id: vaultId("prod-kv").toLowerCase(), name: "prod-kv", url: "https://prod-kv.vault.azure.net" },
  ]);
  expect(policy.secrets[0]?.key).toBe("prod-kv/Orders-DB");
  expect(policy.secrets[0]?.dependents).toEqual([
    { kind: "group", group: groupId("billing").toLowerCase(), strategy: "restart", after: [], gate: true },
    {
      kind: "group",
      group: groupId("orders").toLowerCase(),
      strategy: "restart",
      after: [groupId("billing").toLowerCase()],
      gate: false,
    },
    { kind: "discover", tag: "keyturn-secrets", strategy: "restart", gate: false },
  ]);
});

test.each([
  ["usgovernment", "https://prod-kv.vault.usgovcloudapi.net"],
  ["china", "https://prod-kv.vault.azure.cn"],
])("the vault's URL follows from the cloud %s", (cloud, url) => {
  expect(load(policyText({ head: `cloud: ${cloud}` })).vaults[0]?.url).toBe(url);
});

test("a custom cloud takes vault URLs from outside, and only for vaults of the policy", () => {
  const urls = new Map([
    ["prod-kv", "https://127.0.0.1:8443"],
    ["other-kv", "https://127.0.0.1:8444"],
  ]);

  const policy = load(policyText({ head: "cloud: custom" }), urls);

  expect(policy.vaults.map(({ url }) => url)).toEqual(["https://127.0.0.1:8443"]);
  expect(problemsOf(policyText({ head: "cloud: custom" }))).toEqual([
    "policy.yaml:3:9: vaults[0].id: found no URL for vault prod-kv; with cloud: custom, add prod-kv=<url> to KEYTURN_VAULTS",
  ]);
});

test("vault URLs from outside do not move a vault of a public cloud", () => {
  const urls = new Map([["prod-kv", "https://evil.example"]]);

  expect(load(policyText(), urls).vaults[0]?.url).toBe("https://prod-kv.vault.azure.net");
});

test("a policy is frozen all through", () => {
  const policy = load(policyText());

  expect(() => Object.assign(policy.secrets[0] ?? {}, { validity: 1 })).toThrow(TypeError);
  expect(() => Object.assign(policy.vaults, { 0: "x" })).toThrow(TypeError);
});

test("all problems of a file are told at once, in the order of their lines", () => {
  const problems = problemsOf(
    policyText({
      head: "sweep: { every: 1hour }",
      secrets: `
  - vault: prod-kv
    name: bad_name
    rotator: plain
  - vault: nowhere
    name: two
    rotator: magic
  - vault: prod-kv
    name: three
    rotator: login
    target: { host: db, user: x }`,
    }),
  );

  expect(problems.map((line) => line.split(":").slice(1, 2).join(":"))).toEqual([
    "5",
    "8",
    "10",
    "12",
    "16",
    "16",
  ]);
  expect(problems.join("\n")).toContain("(nowhere/two): unknown rotator");
});

test("the sample policy of the documentation passes with the rotators there are", () => {
  const file = "deploy/policy.example.yaml";

  const policy = loadPolicy(readFileSync(file, "utf8"), { file, rotators: registry });

  expect(policy.secrets.map(({ key }) => key)).toEqual(["prod-kv/orders-db", "prod-kv/session-key"]);
});
