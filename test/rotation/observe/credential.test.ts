import { expect, test } from "vitest";
import type { StoredSecret } from "../../../src/azure/key-vault.ts";
import type { SecretPolicy } from "../../../src/policy/policy.ts";
import { claimedId, readVersion, versionFacts } from "../../../src/rotation/observe/credential.ts";
import type { BoundRotator } from "../../../src/rotators/rotator.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { load, policyText } from "../../policy/fixtures.ts";
import { aRotator } from "../decide/rules.ts";

function secretWith(template: string, rotator: Partial<BoundRotator> = {}): SecretPolicy {
  const [secret] = load(policyText()).secrets;
  if (!secret) throw new Error("the policy has no secret");
  return { ...secret, template, rotator: aRotator(rotator) };
}

function version(text: string, credential?: string): StoredSecret {
  const tags: Record<string, string> = credential === undefined ? {} : { "keyturn-credential": credential };
  return {
    name: "session-key",
    version: "a".repeat(32),
    enabled: true,
    createdAt: 1,
    tags,
    value: new SecretValue(text),
  };
}

const login = secretWith("{username}:{password}");
const bareKey = secretWith("{password}", { slots: ["key1", "key2"] });
const slotless = secretWith("{password}", { slots: [], overlap: "dual" });

test("whose credential a text holds is what the text tells, whatever a tag says", () => {
  const read = readVersion(login, version("orders_b:p@ss", "orders_a"));
  expect(read?.credential?.id).toBe("orders_b");
  expect(read?.credential?.value.reveal()).toBe("p@ss");
});

test("a text that does not fit the template holds no credential", () => {
  expect(readVersion(login, version("somebody:p@ss", "orders_a"))).toMatchObject({ credential: undefined });
  expect(readVersion(login, undefined)).toBeUndefined();
});

test("of a bare key only the provider can tell which of the two it is", () => {
  expect(readVersion(bareKey, version("key", "key2"))?.credential?.id).toBe("");
});

test("where there are no slots the tag names the credential, as long as the provider has not been asked", () => {
  expect(readVersion(slotless, version("key", "id-7"))?.credential?.id).toBe("id-7");
  expect(readVersion(slotless, version("key"))?.credential?.id).toBe("");
});

test("the facts of a version are its attributes, its tags and the credential's id, and no value", () => {
  const stored = { ...version("orders_b:p@ss", "orders_b"), expiresAt: 9, enabled: false };
  const facts = versionFacts(stored, readVersion(login, stored));
  expect(facts).toMatchObject({
    version: "a".repeat(32),
    enabled: false,
    createdAt: 1,
    expiresAt: 9,
    credentialId: "orders_b",
  });
  expect(facts.record.credential).toBe("orders_b");
  expect(Object.values(facts).some((each) => each instanceof SecretValue)).toBe(false);
  expect(versionFacts(stored, undefined).credentialId).toBeUndefined();
});

test("of two credentials a tag is believed as far as the policy knows the one it names", () => {
  expect(claimedId(login, version("", "orders_b"))).toBe("orders_b");
  expect(claimedId(login, version("", "root"))).toBeUndefined();
  expect(claimedId(login, version(""))).toBeUndefined();
});

test("where there is one credential it is that one, whatever a tag says", () => {
  const single = secretWith("{password}", { slots: ["orders_a"], overlap: "single" });
  expect(claimedId(single, version("", "root"))).toBe("orders_a");
  expect(claimedId(single, version(""))).toBe("orders_a");
});

test("where there are no slots the policy knows no credential, and the tag is all there is", () => {
  expect(claimedId(slotless, version("", "id-7"))).toBe("id-7");
  expect(claimedId(slotless, version(""))).toBe("");
});
