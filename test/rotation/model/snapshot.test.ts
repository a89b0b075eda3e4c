import { expect, test } from "vitest";
import type { StoredSecret } from "../../../src/azure/key-vault.ts";
import type { DerivedPolicy, Policy } from "../../../src/policy/policy.ts";
import { type DerivedSecret, published } from "../../../src/rotation/model/snapshot.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { load, policyText } from "../../policy/fixtures.ts";

const policyFile = policyText({
  secrets: `
  - { vault: prod-kv, name: orders-db, rotator: login, target: { host: db, users: [a, b] }, value: "{username}:{password}" }
  - { vault: prod-kv, name: orders-url, from: orders-db, value: "db://{username}:{password:url}@{host}" }`,
});
const policy = derivedIn(load(policyFile));
const createdAt = Date.UTC(2026, 10, 21);

const stored: StoredSecret = {
  name: "orders-url",
  version: "a".repeat(32),
  enabled: true,
  createdAt,
  tags: { "keyturn-dependents": "2 abc" },
  value: new SecretValue("db://x@db"),
};

function read(change: Partial<DerivedSecret>): DerivedSecret {
  return { policy, state: "current", stored, restored: undefined, ...change };
}

function derivedIn({ secrets }: Policy): DerivedPolicy {
  const [first] = secrets.flatMap(({ derived }) => derived);
  if (!first) throw new Error("the policy derives nothing");
  return first;
}

test("readers of what is derived are to run on its own version, with what was written down of them", () => {
  const restored = { from: createdAt - 2, until: createdAt - 1 };
  expect(published({ derived: [read({ restored })] })).toEqual([
    { policy, publication: { publishedAt: createdAt, restored }, recorded: "2 abc" },
  ]);
});

test.each(["behind", "missing", "disabled", "foreign", "unknown"] as const)(
  "readers of what is derived and %s are not moved",
  (state) => {
    expect(published({ derived: [read({ state })] })).toEqual([]);
  },
);

test("what could not be read has no readers to be moved", () => {
  expect(published({ derived: [read({ stored: undefined }), read({})] })).toHaveLength(1);
  expect(published({ derived: [] })).toEqual([]);
});
