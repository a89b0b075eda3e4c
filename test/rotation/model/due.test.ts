import { expect, test } from "vitest";
import { dueAt, startsAutomatically } from "../../../src/rotation/model/due.ts";
import type { Observation, ReadableLatest } from "../../../src/rotation/model/observation.ts";
import { latest, now, seen } from "../decide/facts.ts";
import { aRule, day, hour } from "../decide/rules.ts";

const rules = aRule();
const asked = { requestId: "q" };

/** Of a version that has 29 days left, where 30 are asked for. */
function starts(change: Partial<ReadableLatest> = {}, facts: Partial<Observation> = {}): boolean {
  const version = latest({ expiresAt: now + 29 * day, ...change });
  return startsAutomatically(seen({ latest: version, ...facts }), version, rules);
}

test("a version is due as long before its expiry as the policy says", () => {
  expect(dueAt({ createdAt: now, expiresAt: now + 90 * day }, rules)).toBe(now + 60 * day);
});

test("a version without an expiry is due by its age", () => {
  expect(dueAt({ createdAt: now, expiresAt: undefined }, rules)).toBe(now + 60 * day);
});

test("a rotation starts automatically from the very moment at which the version is due", () => {
  expect(starts({ expiresAt: now + 30 * day + 1 })).toBe(false);
  expect(starts({ expiresAt: now + 30 * day })).toBe(true);
  expect(starts({ expiresAt: now - day })).toBe(true);
  expect(starts({ expiresAt: undefined, createdAt: now - 60 * day + 1 })).toBe(false);
  expect(starts({ expiresAt: undefined, createdAt: now - 60 * day })).toBe(true);
});

test("a version that keyturn has made rests for the policy's shortest interval, however soon it expires", () => {
  const ours = { lineage: "ours" } as const;
  expect(starts({ ...ours, createdAt: now - rules.minInterval + 1 })).toBe(false);
  expect(starts({ ...ours, createdAt: now - rules.minInterval })).toBe(true);
  expect(starts({ lineage: "foreign", createdAt: now })).toBe(true);
});

test("a rotation does not start automatically before the time that a roll-back has set", () => {
  expect(starts({ record: { hold: { notBefore: now + 1 } } })).toBe(false);
  expect(starts({ record: { hold: { notBefore: now } } })).toBe(true);
  expect(starts({ record: { hold: { failures: 1 } } })).toBe(true);
});

test("that a version was stored, or that somebody has taken a rotation back, is no reason to begin one", () => {
  expect(starts({}, { request: { ...asked, mode: "routine", trigger: "new-version" } })).toBe(false);
  expect(starts({}, { request: { ...asked, mode: "abandon", trigger: "manual" } })).toBe(false);
  expect(starts({}, { request: { ...asked, mode: "routine", trigger: "near-expiry" } })).toBe(true);
  expect(starts({ expiresAt: now + 80 * day }, { now: now + hour })).toBe(false);
});
