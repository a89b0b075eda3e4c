import { expect, test } from "vitest";
import {
  behind,
  isLate,
  isLeaked,
  isOpenPublished,
  rotationOf,
} from "../../../src/rotation/model/predicates.ts";
import type { DerivedFacts } from "../../../src/rotation/model/observation.ts";
import { intent, latest, now, one, published, rotation, seen } from "../decide/facts.ts";
import { aRule, hour } from "../decide/rules.ts";

const rules = aRule();
const ofTags = `r-${"b".repeat(26)}`;
const leak = { mode: "compromised", requestId: "q", at: now } as const;

test("a rotation is open from its publish until its version is marked as retired", () => {
  expect(isOpenPublished(published)).toBe(true);
  expect(isOpenPublished({ ...published, record: { ...published.record, state: "retired" } })).toBe(false);
  expect(isOpenPublished({ ...published, lineage: "foreign" })).toBe(false);
});

test("a value counts as leaked while its rotation is asked for, and after the publish what it replaced", () => {
  expect(isLeaked(latest({ record: { intent: leak } }))).toBe(true);
  expect(isLeaked({ ...published, record: { hold: { leaked: true } } })).toBe(true);
  expect(isLeaked(latest({ record: { intent } }))).toBe(false);
  expect(isLeaked(published)).toBe(false);
});

test("a leaked value is late from the deadline after the request on, and a value that is not leaked never is", () => {
  const asked = latest({ createdAt: now - 100 * hour, record: { intent: leak } });
  expect(isLate(seen({ now: now + rules.deadline - 1 }), asked, rules)).toBe(false);
  expect(isLate(seen({ now: now + rules.deadline }), asked, rules)).toBe(true);
  expect(isLate(seen({ now: now + 1_000 * hour }), latest({ record: { intent } }), rules)).toBe(false);
});

test("after the publish the deadline of a leaked value counts from the publish", () => {
  const replaced = { ...published, record: { ...published.record, hold: { leaked: true } } };
  const { createdAt } = replaced;
  expect(isLate(seen({ now: createdAt + rules.deadline - 1 }), replaced, rules)).toBe(false);
  expect(isLate(seen({ now: createdAt + rules.deadline }), replaced, rules)).toBe(true);
});

test("what is derived is built one after the other, parents first; what a person wrote or disabled is left alone", () => {
  const each = (key: string, state: DerivedFacts["state"]) => ({ key, state });
  const derived = [each("a", "current"), each("b", "foreign"), each("c", "missing"), each("d", "behind")];
  expect(behind(seen({ derived }))).toEqual(each("c", "missing"));
  const left = [each("a", "current"), each("b", "foreign"), each("c", "disabled"), each("d", "unknown")];
  expect(behind(seen({ derived: left }))).toBeUndefined();
  expect(behind({ ...seen(), derived: undefined })).toBeUndefined();
});

test("an action belongs to the rotation that it names", () => {
  expect(rotationOf(seen({ latest: published }), { kind: "publish", rotation: ofTags })).toBe(ofTags);
});

test("an action that names no rotation belongs to the one that made the open version", () => {
  const open = { ...published, record: { ...published.record, rotation: ofTags } };
  expect(rotationOf(seen({ latest: open }), { kind: "close" })).toBe(ofTags);
  const takenBack = {
    ...open,
    record: { ...open.record, intent: { ...intent, mode: "rolling-back" } },
  } as const;
  expect(rotationOf(seen({ latest: takenBack }), { kind: "restore" })).toBe(ofTags);
  const closed = { ...open, record: { ...open.record, state: "retired" } } as const;
  expect(rotationOf(seen({ latest: closed }), { kind: "settle-pending", rotation: ofTags })).toBe(ofTags);
  expect(rotationOf(seen({ latest: closed }), { kind: "revoke", credentialId: "orders_a" })).toBe(ofTags);
});

test("an action on a version that is asked to be replaced belongs to the rotation that would replace it", () => {
  const asked = latest({ record: { rotation: ofTags, from: one, intent } });
  expect(rotationOf(seen({ latest: asked }), { kind: "drop-intent" })).toBe(rotation);
  const untagged = latest();
  expect(rotationOf(seen({ latest: untagged }), { kind: "close" })).toBe(rotation);
});

test("where nothing can be read an action belongs to no rotation", () => {
  expect(rotationOf(seen({ latest: { kind: "missing" } }), { kind: "close" })).toBe("");
  expect(rotationOf(seen({ latest: { kind: "disabled" } }), { kind: "close" })).toBe("");
});
