import { expect, test } from "vitest";
import {
  hasTwo,
  isChangedInPlace,
  isKnown,
  isNamed,
  revokeOrphan,
  whichOne,
} from "../../../src/rotation/decide/own-credentials.ts";
import { dual, latest, seen, works } from "./facts.ts";
import { aRule } from "./rules.ts";

const single = aRule({ slots: ["orders_a"] });
const keys = aRule({ origin: "minted", slots: ["key1", "key2"] });
const secrets = aRule({ origin: "minted", slots: [] });
const unchecked = aRule({ slots: [] });

test("a credential is ours if it is one of the policy's slots", () => {
  expect(isKnown("orders_b", dual)).toBe(true);
  expect(isKnown("orders_b", single)).toBe(false);
  expect(isKnown("postgres", dual)).toBe(false);
});

test("where there are no slots, an id is believed only if the provider gives ids", () => {
  expect(isKnown("any", secrets)).toBe(true);
  expect(isKnown("any", unchecked)).toBe(false);
  expect([isNamed(secrets), isNamed(keys), isNamed(unchecked), isNamed(dual)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test("two live side by side where each can be ended alone", () => {
  expect([dual, keys, secrets].map(hasTwo)).toEqual([true, true, true]);
  expect([single, unchecked].map(hasTwo)).toEqual([false, false]);
});

test("only one credential that we choose can be changed back", () => {
  expect([single, dual, keys].map(isChangedInPlace)).toEqual([true, false, false]);
});

test("a credential without a name is asked about, with the command that answers", () => {
  expect(whichOne(secrets)).toMatchObject({
    kind: "stop",
    code: "slot-unknown",
    question: expect.stringContaining("keyturn resolve prod-kv/orders-db --revoke ID"),
  });
});

test("the first of what our own minting left behind is revoked, and nothing where there is none", () => {
  const situation = {
    seen: seen({ provider: { ...works, orphans: ["k7", "k8"] } }),
    latest: latest(),
    rules: secrets,
  };
  expect(revokeOrphan(situation)).toEqual({ kind: "revoke", credentialId: "k7" });
  expect(revokeOrphan({ ...situation, seen: seen({ provider: works }) })).toBeUndefined();
  expect(revokeOrphan({ ...situation, seen: seen() })).toBeUndefined();
});
