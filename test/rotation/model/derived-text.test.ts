import { expect, test } from "vitest";
import { endOf, textOf } from "../../../src/rotation/model/derived-text.ts";
import type { ReadVersion } from "../../../src/rotation/model/snapshot.ts";
import type { SasGrant } from "../../../src/rotators/rotator.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { load, policyText } from "../../policy/fixtures.ts";
import { aRotator, day } from "../decide/rules.ts";

const [secret] = load(policyText()).secrets;
if (!secret) throw new Error("the policy has no secret");
const createdAt = Date.UTC(2026, 10, 21);
const grant: SasGrant = { kind: "account", services: "b", resourceTypes: "sco", permissions: "r" };
const child = {
  key: "prod-kv/orders-url",
  template: "db://{username}:{password:url}@{host}",
  sas: undefined,
};

function version(expiresAt: number | undefined, password = "p@ss"): ReadVersion {
  return {
    stored: {
      name: "orders-db",
      version: "a".repeat(32),
      enabled: true,
      createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      tags: {},
    },
    credential: { id: "orders_b", value: new SecretValue(password) },
  };
}

const parent = { ...secret, rotator: aRotator(), validity: 90 * day };

test("the text is the child's template over the parent's credential and its fields", () => {
  expect(textOf(parent, child, version(undefined))?.reveal()).toBe("db://orders_b:p%40ss@db.example.org");
});

test("computed again the text is the same, and another one for another credential", () => {
  const text = textOf(parent, child, version(undefined));
  expect(textOf(parent, child, version(undefined))?.reveal()).toBe(text?.reveal());
  expect(textOf(parent, child, version(undefined, "other"))?.reveal()).not.toBe(text?.reveal());
});

test("from a parent that was not read, or whose text holds no credential, no text follows", () => {
  expect(textOf(parent, child, undefined)).toBeUndefined();
  expect(textOf(parent, child, { ...version(undefined), credential: undefined })).toBeUndefined();
});

test("a signature is made with the parent's key and ends when the parent does", () => {
  const asked: unknown[] = [];
  const rotator = aRotator({
    signs: (given, key, until) => {
      asked.push(given, key.reveal(), until);
      return new SecretValue("signature");
    },
  });
  const signing = { ...child, template: "sas={password}", sas: grant };
  const text = textOf({ ...parent, rotator }, signing, version(createdAt + 30 * day, "key"));
  expect(text?.reveal()).toBe("sas=signature");
  expect(asked).toEqual([grant, "key", createdAt + 30 * day]);
});

test("a parent without an expiry ends with its validity", () => {
  expect(endOf(version(undefined).stored, 90 * day)).toBe(createdAt + 90 * day);
  expect(endOf(version(createdAt + day).stored, 90 * day)).toBe(createdAt + day);
});

test("where nothing signs with the parent's keys, that is an error of ours, and no text is made", () => {
  const signing = { ...child, sas: grant };
  expect(() => textOf(parent, signing, version(undefined))).toThrow(/prod-kv\/orders-url: nothing signs/);
});
