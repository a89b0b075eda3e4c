import { expect, test } from "vitest";
import type { Dependent } from "../../src/dependents/dependents.ts";
import { fingerprintOf, lostSince, waiverOf, withOneLess } from "../../src/dependents/fingerprint.ts";
import type { DependentPolicy } from "../../src/policy/policy.ts";
import { apps, groupId } from "../policy/fixtures.ts";

const policy = { scopes: [apps] };
const discover: DependentPolicy = { kind: "discover", tag: "reads", strategy: "restart", gate: true };
const secret = { dependents: [discover] };

function dependents(names: readonly string[], gate = true): Dependent[] {
  return names.map((name) => ({ group: groupId(name), gate, after: [] }));
}

function taken(names: readonly string[]): string {
  return fingerprintOf(secret, dependents(names), policy);
}

test("as many groups are lost as there are fewer than at the publish", () => {
  const before = taken(["one", "two", "three"]);
  expect(lostSince(before, taken(["one", "two", "three"]))).toBe(0);
  expect(lostSince(before, taken(["one"]))).toBe(2);
  expect(lostSince(before, taken([]))).toBe(3);
});

test("groups that came since the publish are not lost, and nobody is in their debt", () => {
  expect(lostSince(taken(["one"]), taken(["one", "two"]))).toBe(0);
});

test("nothing is lost where the policy says something else now: its list or its scopes", () => {
  const before = taken(["one", "two"]);
  const otherList = fingerprintOf({ dependents: [] }, [], policy);
  const otherScopes = fingerprintOf(secret, [], { scopes: [apps, "/subscriptions/other"] });
  expect([lostSince(before, otherList), lostSince(before, otherScopes)]).toEqual([0, 0]);
  expect(lostSince(before, taken([]))).toBe(2);
});

test("groups that gate nothing are not counted", () => {
  const found = [...dependents(["one"]), ...dependents(["two"], false)];
  expect(fingerprintOf(secret, found, policy)).toBe(taken(["one"]));
});

test("the fingerprint of the same groups is the same in any order and any case, and another one for other groups", () => {
  const shouted = dependents(["two", "one"]).map((each) => ({ ...each, group: each.group.toUpperCase() }));
  expect(fingerprintOf(secret, shouted, policy)).toBe(taken(["one", "two"]));
  expect(taken(["one", "two"])).not.toBe(taken(["one", "three"]));
});

test("the fingerprint holds no name of a group and fits a tag", () => {
  const text = taken(["orders-api"]);
  expect(text).toMatch(/^1 [0-9a-f]{32} [0-9a-f]{16}$/);
  expect(text.length).toBeLessThanOrEqual(128);
});

test("a group that a person says is gone is not missed any longer, and fewer than none there are not", () => {
  const before = taken(["one", "two"]);
  const after = withOneLess(before);
  expect(lostSince(before, taken(["one"]))).toBe(1);
  expect(lostSince(after, taken(["one"]))).toBe(0);
  expect(lostSince(after, taken([]))).toBe(1);
  const none = withOneLess(withOneLess(after));
  expect(none).toMatch(/^0 /);
  expect(lostSince(none, taken([]))).toBe(0);
});

test.each([
  ["absent", undefined],
  ["empty", ""],
  ["a number alone", "3"],
  ["a number below none", `-3 ${"a".repeat(32)} ${"b".repeat(16)}`],
  ["more groups than there can be", `9999999 ${"a".repeat(32)} ${"b".repeat(16)}`],
  ["with words after it", `3 ${"a".repeat(32)} ${"b".repeat(16)} more`],
])("a record that is %s says nothing, and is left as it is", (_, recorded) => {
  expect(lostSince(recorded, taken([]))).toBe(0);
  expect(withOneLess(recorded)).toBe(recorded);
});

test("the short name of a group is the same whatever the case of its id, and tells groups apart", () => {
  expect(waiverOf(groupId("ONE").toUpperCase())).toBe(waiverOf(groupId("one")));
  expect(waiverOf(groupId("one"))).not.toBe(waiverOf(groupId("two")));
  expect(waiverOf(groupId("one"))).toMatch(/^[0-9a-f]{12}$/);
});
