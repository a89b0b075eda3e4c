import { describe, expect, test } from "vitest";
import { atRest } from "../../../src/rotation/decide/at-rest.ts";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { dual, latest, now, one, published, rotation, seen, two, works } from "./facts.ts";
import { aRule, day } from "./rules.ts";
import { situation } from "./situation.ts";

describe("before the publish", () => {
  test("a version that is not due is left alone until it is", () => {
    const fresh = latest({ expiresAt: now + 90 * day });
    expect(nextAction(seen({ latest: fresh }), dual)).toEqual({
      kind: "idle",
      until: now + 60 * day,
      reason: "not-due",
    });
  });

  test("a due version gets an intent before anything else happens", () => {
    expect(nextAction(seen(), dual)).toEqual({ kind: "write-intent", mode: "routine" });
  });

  test("the news that a version was stored starts no rotation, even if that version is due", () => {
    const request = { trigger: "new-version", mode: "routine", requestId: "q", version: one } as const;
    expect(nextAction(seen({ request }), dual).kind).toBe("idle");
    const nearExpiry = { ...request, trigger: "near-expiry" } as const;
    expect(nextAction(seen({ request: nearExpiry }), dual).kind).toBe("write-intent");
  });

  test("a version without expiry is due by its age", () => {
    const old = latest({ expiresAt: undefined, createdAt: now - 61 * day });
    expect(nextAction(seen({ latest: old }), dual).kind).toBe("write-intent");
    const young = latest({ expiresAt: undefined, createdAt: now - 59 * day });
    expect(nextAction(seen({ latest: young }), dual).kind).toBe("idle");
  });

  test("our own version is not replaced again within the minimum interval, even if it is born near its expiry", () => {
    const born = {
      ...published,
      expiresAt: now + day,
      record: { rotation, from: one, state: "retired" },
    } as const;
    expect(nextAction(seen({ latest: born }), dual).kind).toBe("idle");
  });

  test("a manual request that saw an older version does nothing", () => {
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: one } as const;
    const done = { ...published, record: { rotation, from: one, state: "retired" } } as const;
    expect(nextAction(seen({ latest: done, request }), dual)).toMatchObject({
      kind: "idle",
      reason: "superseded",
    });
  });

  test("the news of an older version is as good as that of the latest: it may have been merged with it", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const request = { trigger: "new-version", mode: "routine", requestId: "q", version: one } as const;
    expect(nextAction(seen({ latest: foreign, request, provider: works }), dual)).toEqual({
      kind: "write-intent",
      mode: "roll",
    });
  });

  test("a secret with more tags of others than leave room for ours is asked about first", () => {
    expect(nextAction(seen({ latest: latest({ otherTags: 7 }) }), dual).kind).toBe("write-intent");
    const full = latest({ otherTags: 8 });
    expect(nextAction(seen({ latest: full }), dual)).toMatchObject({ kind: "stop", code: "too-many-tags" });
    const foreign = { first: false, version: two, expiresAt: now + 90 * day };
    const followed = (otherTags: number) =>
      nextAction(seen({ latest: latest({ ...foreign, otherTags }), provider: works }), dual);
    expect(followed(12).kind).toBe("write-intent");
    expect(followed(13)).toMatchObject({ kind: "stop", code: "too-many-tags" });
  });

  test("what a mint left behind is found by the sweep, where nobody can be running on it", () => {
    const minted = aRule({ origin: "minted", slots: [] });
    const request = { trigger: "sweep", mode: "routine", requestId: "q", version: undefined } as const;
    const resting = latest({ expiresAt: now + 90 * day, lineage: "ours", record: { state: "retired" } });
    const asked = seen({ latest: resting, request });
    expect(nextAction(asked, minted)).toEqual({ kind: "observe", what: "provider" });
    const found = { ...asked, provider: { ...works, orphans: ["left-over"] } };
    expect(nextAction(found, minted)).toEqual({ kind: "revoke", credentialId: "left-over" });
    expect(nextAction({ ...asked, provider: works }, minted).kind).toBe("idle");
  });
});

describe("a rotation that went wrong", () => {
  test("waits after the roll-back, unless a person asks", () => {
    const restored = latest({
      lineage: "ours",
      first: false,
      version: two,
      record: { rotation, from: one, restores: one, state: "retired", hold: { notBefore: now + day } },
      createdAt: now - 2 * day,
    });
    expect(nextAction(seen({ latest: restored }), dual)).toMatchObject({
      kind: "idle",
      reason: "not-before",
    });
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: two } as const;
    expect(nextAction(seen({ latest: restored, request }), dual)).toEqual({
      kind: "write-intent",
      mode: "routine",
    });
  });
});

test("at rest, what is derived is read before anything is said about it", () => {
  const fresh = latest({ expiresAt: now + 90 * day });
  expect(atRest(situation(fresh, { derived: undefined }))).toEqual({ kind: "observe", what: "derived" });
});
