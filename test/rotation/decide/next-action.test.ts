import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { DerivedFacts, Observation } from "../../../src/rotation/model/observation.ts";
import {
  confirmed,
  dual,
  intent,
  latest,
  now,
  one,
  parked,
  published,
  replaced,
  rotation,
  seen,
  two,
  works,
} from "./facts.ts";
import { aRule, day, hour } from "./rules.ts";

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

  test("a manual request is recorded although nothing is due", () => {
    const fresh = latest({ expiresAt: now + 90 * day });
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: one } as const;
    expect(nextAction(seen({ latest: fresh, request }), dual)).toEqual({
      kind: "write-intent",
      mode: "routine",
    });
  });

  test("a manual request that saw an older version does nothing", () => {
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: one } as const;
    const done = { ...published, record: { rotation, from: one, state: "retired" } } as const;
    expect(nextAction(seen({ latest: done, request }), dual)).toMatchObject({
      kind: "idle",
      reason: "superseded",
    });
  });

  test("the candidate goes to the role that the published value does not use", () => {
    const ready = seen({ latest: latest({ record: { intent } }), provider: works, dependents: confirmed });
    expect(nextAction(ready, dual)).toEqual({ kind: "park", slot: "orders_b", rotation });
  });

  test("a single credential is replaced in its own place", () => {
    const ready = seen({ latest: latest({ record: { intent } }), provider: works, dependents: confirmed });
    expect(nextAction(ready, aRule({ slots: ["orders_a"] }))).toEqual({
      kind: "park",
      slot: "orders_a",
      rotation,
    });
  });

  test("a parked candidate is applied until the provider accepts it, then published", () => {
    const ready = seen({ latest: latest({ record: { intent } }), pending: parked, provider: works });
    expect(nextAction(ready, dual)).toEqual({ kind: "apply", rotation });
    const applied = { ...ready, provider: { ...works, pending: "accepted" } } as const;
    expect(nextAction(applied, dual)).toEqual({ kind: "publish", rotation });
  });

  test("a candidate parked for another rotation, or in the slot in use, is not used", () => {
    const other = { ...parked, rotation: `r-${"b".repeat(26)}` };
    const inUse = { ...parked, credentialId: "orders_a" };
    for (const pending of [other, inUse]) {
      const facts = { latest: latest({ record: { intent } }), provider: works, dependents: confirmed };
      const ready = seen({ ...facts, pending });
      expect(nextAction(ready, dual)).toMatchObject({ kind: "park", slot: "orders_b" });
    }
  });

  test("a value somebody else wrote is adopted only if it fits the template and the provider accepts it", () => {
    const unread = latest({ record: { intent }, credentialId: undefined });
    expect(nextAction(seen({ latest: unread }), dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
    const refused = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, latest: "rejected" },
    });
    expect(nextAction(refused, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
  });

  test("the news of an older version is as good as that of the latest: it may have been merged with it", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const request = { trigger: "new-version", mode: "routine", requestId: "q", version: one } as const;
    expect(nextAction(seen({ latest: foreign, request, provider: works }), dual)).toEqual({
      kind: "write-intent",
      mode: "roll",
    });
  });

  test("a single credential that refuses an adopted value because ours is set already is published", () => {
    const single = aRule({ slots: ["orders_a"] });
    const pending = { ...parked, credentialId: "orders_a" } as const;
    const found = seen({ latest: latest({ record: { intent } }), pending });
    const facts = { ...works, latest: "rejected", pending: "accepted" } as const;
    expect(nextAction({ ...found, provider: facts }, single)).toEqual({ kind: "publish", rotation });
    const unsure = { ...facts, pending: "unknown" } as const;
    expect(nextAction({ ...found, provider: unsure }, single)).toMatchObject({ kind: "wait" });
    // Somebody has changed the password meanwhile: ours is set, since it was parked when all was well.
    const neither = { ...facts, pending: "rejected" } as const;
    expect(nextAction({ ...found, provider: neither }, single).kind).toBe("apply");
  });

  test("the other slot is not taken while dependents may still run on what is in it", () => {
    const stored = latest({ record: { intent }, first: false, createdAt: now - hour });
    const ready = seen({ latest: stored, provider: works });
    expect(nextAction(ready, dual)).toEqual({ kind: "observe", what: "dependents" });
    const behind = { ...ready, dependents: { unconfirmed: ["/g/one"], confirmed: 1 } };
    expect(nextAction(behind, dual)).toEqual({ kind: "roll", groups: ["/g/one"] });
    const fresh = { ...ready, dependents: confirmed };
    const until = now - hour + dual.overlap;
    expect(nextAction(fresh, dual)).toEqual({ kind: "wait", until, reason: "slot" });
    expect(nextAction({ ...fresh, now: until }, dual)).toMatchObject({ kind: "park" });
    const leaked = latest({ ...stored, record: { intent: { ...intent, mode: "compromised" } } });
    expect(nextAction({ ...ready, latest: leaked }, dual)).toMatchObject({ kind: "park" });
  });

  test("room for a minted credential is not made of one that dependents may still run on", () => {
    const minted = aRule({ origin: "minted", slots: [] });
    const provider = { ...works, orphans: ["left-over"] };
    const ours = latest({ record: { intent, state: "retired" }, lineage: "ours", first: false });
    const found = seen({ provider, dependents: confirmed });
    expect(nextAction({ ...found, latest: ours }, minted)).toMatchObject({ kind: "revoke" });
    const byHand = latest({ record: { intent }, first: false });
    expect(nextAction({ ...found, latest: byHand }, minted)).toMatchObject({ kind: "mint" });
  });

  test("nothing is begun while readers are down, unless that is the cure, or time is running out", () => {
    const down = { ...confirmed, down: ["/g/one"] };
    const ready = seen({ latest: latest({ record: { intent } }), provider: works, dependents: down });
    for (const rules of [dual, aRule({ slots: ["orders_a"] }), aRule({ slots: [], origin: "minted" })])
      expect(nextAction(ready, rules)).toMatchObject({ kind: "wait", reason: "down" });
    expect(nextAction({ ...ready, now: now + 15 * day }, dual).kind).toBe("park");
    const ours = latest({ record: { intent, state: "retired" }, lineage: "ours" });
    const refused = { ...ready, latest: ours, provider: { ...works, latest: "rejected" } } as const;
    expect(nextAction(refused, dual).kind).toBe("park");
    const leaked = latest({ record: { intent: { ...intent, mode: "compromised" } } });
    expect(nextAction({ ...ready, latest: leaked }, dual).kind).toBe("park");
  });

  test("a value that its provider refuses is replaced at once: nobody can be running on it", () => {
    const ours = latest({ record: { intent, state: "retired" }, lineage: "ours", first: false });
    const refused = seen({ latest: ours, provider: { ...works, latest: "rejected" } });
    expect(nextAction(refused, dual)).toMatchObject({ kind: "park", slot: "orders_b" });
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

  test("a minted candidate that does not show yet is waited for as long as changes may take to spread", () => {
    const rules = aRule({ origin: "minted" });
    const ready = seen({ latest: latest({ record: { intent } }), provider: works });
    const young = { ...parked, createdAt: now - rules.rotator.propagation + 1 };
    expect(nextAction({ ...ready, pending: young }, rules)).toMatchObject({
      kind: "wait",
      reason: "provider",
    });
    const old = { ...parked, createdAt: now - rules.rotator.propagation };
    expect(nextAction({ ...ready, pending: old }, rules)).toMatchObject({ kind: "mint", slot: "orders_b" });
  });

  test("a role that does not exist at the provider needs a person", () => {
    const missing = { ...works, missing: ["orders_b"] };
    const ready = seen({ latest: latest({ record: { intent } }), provider: missing });
    expect(nextAction(ready, dual)).toMatchObject({ kind: "stop", code: "target-missing" });
  });

  test("a provider that cannot be asked is asked again later", () => {
    const unknown = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, latest: "unknown" },
    });
    expect(nextAction(unknown, dual)).toMatchObject({ kind: "wait", reason: "provider" });
  });
});

describe("after the publish", () => {
  const after = seen({ latest: published, replaced: { ...replaced, enabled: true }, provider: works });

  test("the parked copy is disabled once the provider has shown that it accepts the published value", () => {
    const unproven = { ...after, pending: { ...parked, equalsLatest: true } };
    expect(nextAction(unproven, dual)).toEqual({ kind: "settle-pending", rotation });
  });

  test("dependents that are not confirmed are rolled before anything is retired", () => {
    const mixed = { ...after, dependents: { unconfirmed: ["/g/one"], confirmed: 1 } };
    expect(nextAction(mixed, dual)).toEqual({ kind: "roll", groups: ["/g/one"] });
  });

  test("the old credential lives for the overlap", () => {
    const early = { ...after, dependents: confirmed };
    expect(nextAction(early, dual)).toEqual({
      kind: "wait",
      until: published.createdAt + day,
      reason: "overlap",
    });
  });

  test("the old credential is revoked after the overlap, then its version is disabled", () => {
    const late = { ...after, now: published.createdAt + day, dependents: confirmed };
    const alive = { ...late, provider: { ...works, replaced: "accepted" } } as const;
    expect(nextAction(alive, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
    const dead = { ...late, provider: { ...works, replaced: "rejected" } } as const;
    expect(nextAction(dead, dual)).toEqual({ kind: "close" });
  });

  test("a slot that has taken another value than the replaced one is never revoked", () => {
    const late = { ...after, now: published.createdAt + day, dependents: confirmed };
    const changed = { ...late, provider: { ...works, replaced: "rejected" } } as const;
    expect(nextAction(changed, dual)).toEqual({ kind: "close" });
  });

  test("an id that only a tag names is not revoked where nobody checks the value", () => {
    const tagged = { ...replaced, credentialId: "postgres" };
    const facts = { ...works, replaced: "accepted" } as const;
    const ready = seen({ latest: published, replaced: tagged, provider: facts, dependents: confirmed });
    const late = { ...ready, now: now + 30 * day };
    expect(nextAction(late, aRule({ slots: [], origin: "chosen" }))).toEqual({ kind: "close" });
    expect(nextAction(late, aRule({ slots: [], origin: "minted" }))).toMatchObject({ kind: "revoke" });
  });

  test("an old version that somebody has disabled is enabled for a moment: it cannot be compared otherwise", () => {
    const hidden = { ...replaced, enabled: false, credentialId: undefined };
    const facts = { ...works, replaced: "unknown" } as const;
    const late = seen({
      latest: published,
      replaced: hidden,
      provider: facts,
      dependents: confirmed,
      now: now + day,
    });
    expect(nextAction(late, dual)).toEqual({ kind: "reopen", version: one });
    const byUs = { ...late, replaced: { ...hidden, record: { state: "revoked" } } } as const;
    expect(nextAction(byUs, dual)).toEqual({ kind: "close" });
  });

  test("a template that does not fit what was published any more is a question", () => {
    const unreadable = { ...after, latest: { ...published, credentialId: undefined } };
    expect(nextAction(unreadable, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
  });

  test("a single credential has nothing to revoke: its old value is dead already", () => {
    const rules = aRule({ slots: ["orders_b"] });
    const same = {
      ...after,
      replaced: { ...replaced, enabled: true, credentialId: "orders_b" },
      dependents: confirmed,
    };
    expect(nextAction({ ...same, now: published.createdAt + day }, rules)).toEqual({ kind: "close" });
  });

  test("a provider changed by hand is set back only after the candidate has shown that the value is ours", () => {
    const refused = { ...after, provider: { ...works, latest: "rejected" } } as const;
    expect(nextAction(refused, dual).kind).toBe("reopen-pending");
    const minted = aRule({ slots: ["orders_a", "orders_b"], origin: "minted" });
    expect(nextAction(refused, minted).kind).toBe("reopen-pending");
    expect(nextAction({ ...refused, pending: parked }, minted)).toMatchObject({ code: "foreign-version" });
    const raced = { ...works, latest: "rejected", pending: "accepted" } as const;
    expect(nextAction({ ...refused, pending: parked, provider: raced }, minted).kind).toBe("publish");
    const same = { ...refused, pending: { ...parked, equalsLatest: true } };
    expect(nextAction(same, dual).kind).toBe("repair");
    const other = { ...refused, pending: parked };
    expect(nextAction(other, dual)).toMatchObject({ kind: "stop", code: "foreign-version" });
  });

  test("a candidate of the same rotation that took the place of the published one is published in turn", () => {
    const provider = { ...works, latest: "rejected", pending: "accepted" } as const;
    const raced = { ...after, provider, pending: parked };
    expect(nextAction(raced, dual)).toEqual({ kind: "publish", rotation });
    const another = { ...parked, rotation: `r-${"b".repeat(26)}` };
    expect(nextAction({ ...raced, pending: another }, dual).kind).toBe("stop");
  });

  test("a manual request during the overlap is recorded, and waits until the open rotation is closed", () => {
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: two } as const;
    const early = { ...after, dependents: confirmed, request };
    expect(nextAction(early, dual).kind).toBe("write-intent");
    const recorded = { ...published, record: { ...published.record, intent } };
    expect(nextAction({ ...early, latest: recorded }, dual)).toMatchObject({
      kind: "wait",
      reason: "overlap",
    });
  });

  test("a version somebody else stored is followed though the news of it was lost, until that is done", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const found = seen({ latest: foreign, provider: works });
    expect(nextAction(found, dual)).toEqual({ kind: "write-intent", mode: "roll" });
    const copied = { ...foreign, record: { state: "retired", rotation, from: one } } as const;
    expect(nextAction({ ...found, latest: copied }, dual)).toEqual({ kind: "write-intent", mode: "roll" });
    const done = { ...foreign, record: { state: "retired", from: two } } as const;
    expect(nextAction({ ...found, latest: done }, dual).kind).toBe("idle");
  });

  test("a version somebody else stored moves its dependents and rotates nothing", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const request = { trigger: "new-version", mode: "routine", requestId: "q", version: two } as const;
    expect(nextAction(seen({ latest: foreign, request, provider: works }), dual)).toEqual({
      kind: "write-intent",
      mode: "roll",
    });
    const rolling = { ...foreign, record: { intent: { ...intent, mode: "roll" as const } } };
    const unconfirmed = { unconfirmed: ["/g/one"], confirmed: 0 };
    const moving = seen({ latest: rolling, provider: works });
    expect(nextAction({ ...moving, dependents: unconfirmed }, dual).kind).toBe("roll");
    expect(nextAction({ ...moving, dependents: confirmed }, dual).kind).toBe("close");
  });
});

test("a missing or disabled secret is a question for a person", () => {
  expect(nextAction(seen({ latest: { kind: "missing" } }), dual)).toMatchObject({ code: "secret-missing" });
  expect(nextAction(seen({ latest: { kind: "disabled" } }), dual)).toMatchObject({ code: "secret-disabled" });
});

describe("whatever can be seen", () => {
  const acceptance = fc.constantFrom("accepted" as const, "rejected" as const, "unknown" as const);
  const credential = fc.constantFrom("orders_a", "orders_b", "stranger", undefined);
  const facts = fc.record({
    lineage: fc.constantFrom("ours" as const, "foreign" as const),
    state: fc.constantFrom("parked" as const, "published" as const, "retired" as const, undefined),
    intended: fc.constantFrom("routine" as const, "compromised" as const, "roll" as const, undefined),
    age: fc.integer({ min: 0, max: 100 * day }),
    left: fc.option(fc.integer({ min: -day, max: 100 * day }), { nil: undefined }),
    credentialId: credential,
    old: fc.record({ enabled: fc.boolean(), credentialId: credential }),
    parked: fc.option(fc.record({ same: fc.boolean(), ours: fc.boolean(), credentialId: credential })),
    provider: fc.record({
      latest: acceptance,
      pending: acceptance,
      replaced: acceptance,
      missing: fc.constantFrom([], ["orders_b"]),
      orphans: fc.constant([]),
    }),
    unconfirmed: fc.constantFrom([], ["/g/one"]),
    slots: fc.constantFrom([], ["orders_a"], ["orders_a", "orders_b"]),
  });

  function fill(drawn: typeof facts extends fc.Arbitrary<infer T> ? T : never): Observation {
    const record = { rotation, from: one, state: drawn.state };
    const asked = drawn.intended ? { ...intent, mode: drawn.intended } : undefined;
    const createdAt = now - drawn.age;
    const expiresAt = drawn.left === undefined ? undefined : now + drawn.left;
    const shown = latest({
      ...drawn,
      first: false,
      version: two,
      createdAt,
      expiresAt,
      record: { ...record, intent: asked },
    });
    const { ours, same, credentialId } = drawn.parked ?? {};
    const none = { kind: "none" } as const;
    const candidate = {
      ...parked,
      rotation: ours ? rotation : undefined,
      equalsLatest: same ?? false,
      credentialId,
    };
    const pending = drawn.parked ? candidate : none;
    return seen({
      latest: shown,
      pending,
      replaced: { ...replaced, ...drawn.old },
      provider: drawn.provider,
      dependents: { unconfirmed: drawn.unconfirmed, confirmed: 0 },
    });
  }

  test("there is exactly one next action, and the same one for the same facts", () => {
    fc.assert(
      fc.property(facts, (drawn) => {
        const rules = aRule({ slots: drawn.slots });
        const action = nextAction(fill(drawn), rules);
        expect(action.kind).not.toBe("observe");
        expect(nextAction(fill(drawn), rules)).toEqual(action);
      }),
      { numRuns: 2_000 },
    );
  });

  test("nothing is revoked before every gating dependent is confirmed and the overlap is over", () => {
    fc.assert(
      fc.property(facts, (drawn) => {
        const action = nextAction(fill(drawn), aRule({ slots: drawn.slots }));
        if (action.kind !== "revoke" || drawn.intended === "compromised") return;
        expect(drawn.unconfirmed).toEqual([]);
        expect(drawn.age).toBeGreaterThanOrEqual(day);
        expect(drawn.provider).toMatchObject({ latest: "accepted", replaced: "accepted" });
        expect(action.credentialId).not.toBe(drawn.credentialId);
      }),
      { numRuns: 5_000 },
    );
  });

  test("with two roles, the one in use is never given another password before the publish", () => {
    fc.assert(
      fc.property(facts, (drawn) => {
        const action = nextAction(fill(drawn), dual);
        if (action.kind === "park") expect(action.slot).not.toBe(drawn.credentialId);
        if (action.kind === "apply") expect(drawn.parked?.credentialId).not.toBe(drawn.credentialId);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a rotation that went wrong", () => {
  const open = { latest: published, replaced: { ...replaced, enabled: true }, provider: works };
  const unconfirmed = { unconfirmed: ["/g/one"], confirmed: 0 };
  const failed = { trigger: "roll-failed", mode: "routine", requestId: "q", version: undefined } as const;

  test("is rolled back when a restart has failed: written down first, then restored", () => {
    const seenFailed = seen({ ...open, dependents: unconfirmed, request: failed });
    expect(nextAction(seenFailed, dual)).toEqual({ kind: "write-intent", mode: "rolling-back" });
    const record = { ...published.record, intent: { ...intent, mode: "rolling-back" as const } };
    const back = seen({
      ...open,
      latest: { ...published, record },
      provider: { ...works, replaced: "accepted" },
    });
    expect(nextAction(back, dual)).toEqual({ kind: "restore" });
  });

  test("is not rolled back for groups that have come back meanwhile", () => {
    const healed = seen({ ...open, dependents: confirmed, request: failed });
    expect(nextAction(healed, dual)).toMatchObject({ kind: "wait", reason: "overlap" });
  });

  test("with a single credential, sets the provider back before it publishes the old value", () => {
    const single = aRule({ slots: ["orders_b"] });
    const record = { ...published.record, intent: { ...intent, mode: "rolling-back" as const } };
    const same = { ...replaced, enabled: true, credentialId: "orders_b" };
    const back = seen({
      latest: { ...published, record },
      replaced: same,
      provider: { ...works, replaced: "rejected" },
    });
    expect(nextAction(back, single)).toEqual({ kind: "set-back", to: "replaced" });
    expect(nextAction(back, dual)).toEqual({ kind: "observe", what: "dependents" });
    const down = { ...back, dependents: unconfirmed };
    expect(nextAction(down, dual)).toMatchObject({ kind: "stop", code: "cannot-roll-back" });
    expect(nextAction({ ...back, dependents: confirmed }, dual)).toEqual({ kind: "drop-intent" });
  });

  test("and whose readers do not take the old value either is a question", () => {
    const record = { ...published.record, restores: one };
    const back = seen({ ...open, latest: { ...published, record }, dependents: unconfirmed });
    expect(nextAction(back, dual)).toMatchObject({ kind: "roll" });
    const early = { ...back, request: failed, now: published.createdAt + dual.deadline };
    expect(nextAction(early, dual)).toMatchObject({ kind: "roll" });
    expect(nextAction({ ...back, request: failed }, dual)).toMatchObject({
      kind: "stop",
      code: "cannot-roll-back",
    });
  });

  test("and is taken back by a person leaves no candidate alive at the provider", () => {
    const request = { trigger: "manual", mode: "abandon", requestId: "q", version: one } as const;
    const asked = seen({ latest: latest({ record: { intent } }), pending: parked, request });
    expect(nextAction(asked, dual)).toEqual({ kind: "observe", what: "provider" });
    const applied = { ...asked, provider: { ...works, pending: "accepted" } } as const;
    expect(nextAction(applied, dual)).toEqual({ kind: "revoke", credentialId: "orders_b" });
    expect(nextAction({ ...asked, provider: works }, dual)).toEqual({ kind: "drop-intent" });
  });

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

  test("retires the value that was taken back without an overlap", () => {
    const record = { rotation, from: one, restores: one, state: "published" as const };
    const restored = { ...published, record, createdAt: now, credentialId: "orders_a" };
    const bad = { ...replaced, enabled: true, credentialId: "orders_b" };
    const back = seen({
      latest: restored,
      replaced: bad,
      provider: { ...works, replaced: "accepted" },
      dependents: confirmed,
    });
    expect(nextAction(back, dual)).toEqual({ kind: "revoke", credentialId: "orders_b" });
  });

  test("is quarantined, leaves a single credential working, and goes on only when a person says so", () => {
    const record = { intent, hold: { quarantined: "forbidden", failures: 3 } };
    const single = aRule({ slots: ["orders_a"] });
    const inPlace = { ...parked, credentialId: "orders_a" };
    const stuck = { latest: latest({ record }), pending: inPlace };
    const applied = { ...works, latest: "rejected", pending: "accepted" } as const;
    expect(nextAction(seen({ ...stuck, provider: applied }), single)).toEqual({
      kind: "set-back",
      to: "latest",
    });
    expect(nextAction(seen({ ...stuck, provider: works }), single)).toMatchObject({ code: "quarantined" });
    const answer = { trigger: "manual", requestId: "q", version: one } as const;
    const retry = seen({ ...stuck, provider: works, request: { ...answer, mode: "retry" } });
    expect(nextAction(retry, single)).toEqual({ kind: "write-intent", mode: "routine" });
    // What no answer lifts would be written again at every look.
    const leaked = { ...retry, latest: latest({ record: { intent, hold: { leaked: true } } }) };
    expect(nextAction(leaked, single).kind).not.toBe("write-intent");
    const abandon = seen({ ...stuck, provider: works, request: { ...answer, mode: "abandon" } });
    expect(nextAction(abandon, single)).toEqual({ kind: "drop-intent" });
    // The version is still due, but the same answer does not start over what it has just ended.
    const dropped = { ...abandon, latest: latest(), pending: { kind: "none" } } as const;
    expect(nextAction(dropped, single)).toMatchObject({ kind: "idle", reason: "not-asked" });
    const byHand = { ...dropped, latest: latest({ first: false, expiresAt: now + 90 * day }) };
    expect(nextAction(byHand, single)).toMatchObject({ kind: "idle", reason: "not-due" });
  });

  test("makes a candidate anew that was refused too often", () => {
    const ready = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, pending: "accepted" },
    });
    expect(nextAction({ ...ready, pending: { ...parked, refusals: 2 } }, dual).kind).toBe("publish");
    expect(nextAction({ ...ready, pending: { ...parked, refusals: 3 } }, dual).kind).toBe("park");
  });
});

describe("what is derived from a secret", () => {
  type State = DerivedFacts["state"];
  const derived = (...states: State[]) => states.map((state, at) => ({ key: `prod-kv/child-${at}`, state }));
  const open = seen({ latest: published, replaced, provider: { ...works, replaced: "accepted" } });

  test("is looked at once its parent is published and proven, before anybody is restarted", () => {
    const unseen = { ...open, derived: undefined };
    expect(nextAction({ ...unseen, provider: undefined }, dual)).toMatchObject({ what: "provider" });
    expect(nextAction({ ...unseen, pending: parked }, dual).kind).toBe("settle-pending");
    expect(nextAction(unseen, dual)).toEqual({ kind: "observe", what: "derived" });
    expect(nextAction({ ...unseen, derived: derived("current") }, dual)).toEqual({
      kind: "observe",
      what: "dependents",
    });
  });

  test.each<[State, State]>([
    ["behind", "behind"],
    ["missing", "behind"],
    ["behind", "foreign"],
  ])("is built in order: the first that is %s comes first", (first, second) => {
    const next = nextAction({ ...open, derived: derived("current", first, second) }, dual);
    expect(next).toEqual({ kind: "publish-derived", derived: "prod-kv/child-1" });
  });

  test.each<[State, string]>([
    ["foreign", "cannot-adopt"],
    ["disabled", "secret-disabled"],
    ["unknown", "cannot-adopt"],
  ])("keeps the old credential alive while one is %s, but the others are rolled", (state, code) => {
    const odd = { ...open, derived: derived("current", state) };
    const unconfirmed = { ...odd, dependents: { unconfirmed: ["/g/one"], confirmed: 0 } };
    expect(nextAction(unconfirmed, dual)).toMatchObject({ kind: "roll" });
    const stopped = nextAction({ ...odd, dependents: confirmed }, dual);
    expect(stopped).toMatchObject({ kind: "stop", code });
    expect(stopped.kind === "stop" && stopped.question).toContain("prod-kv/child-1");
  });

  test("does not keep a leaked credential alive beyond the deadline", () => {
    const leaked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    const odd = { ...open, latest: leaked, derived: derived("foreign"), dependents: confirmed };
    expect(nextAction({ ...odd, now: leaked.createdAt + 1 }, dual).kind).toBe("stop");
    expect(nextAction({ ...odd, now: leaked.createdAt + dual.deadline }, dual).kind).toBe("revoke");
  });

  test("is asked about before there is a candidate, unless the value is leaked", () => {
    const ready = seen({ latest: latest({ record: { intent } }), provider: works, dependents: confirmed });
    expect(nextAction({ ...ready, derived: undefined }, dual)).toEqual({ kind: "observe", what: "derived" });
    expect(nextAction({ ...ready, derived: derived("behind", "missing") }, dual).kind).toBe("park");
    const odd = { ...ready, derived: derived("foreign") };
    expect(nextAction(odd, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
    expect(nextAction({ ...odd, pending: parked }, dual).kind).toBe("apply");
    const leak = latest({ record: { intent: { ...intent, mode: "compromised" } } });
    expect(nextAction({ ...odd, latest: leak }, dual).kind).toBe("park");
  });

  test("follows a parent that somebody else wrote, before its readers are restarted", () => {
    const stored = latest({ record: { intent: { ...intent, mode: "roll" } }, expiresAt: now + 90 * day });
    const rolling = seen({ latest: stored, derived: derived("behind"), provider: works });
    expect(nextAction({ ...rolling, derived: undefined }, dual)).toMatchObject({ what: "derived" });
    expect(nextAction(rolling, dual).kind).toBe("publish-derived");
    const built = { ...rolling, derived: derived("current") };
    expect(nextAction(built, dual)).toEqual({ kind: "observe", what: "dependents" });
    expect(nextAction({ ...built, dependents: confirmed }, dual)).toEqual({ kind: "close" });
  });

  test("is built at rest too, with the restarts that this needs; what is not due is not rotated for it", () => {
    const resting = latest({ expiresAt: now + 90 * day });
    const missing = seen({ latest: resting, derived: derived("missing"), provider: works });
    const rebuilt = nextAction(missing, dual);
    expect(rebuilt).toEqual({ kind: "write-intent", mode: "roll" });
    const odd = nextAction(seen({ latest: resting, derived: derived("foreign") }), dual);
    expect(odd).toMatchObject({ kind: "stop", code: "cannot-adopt" });
    expect(nextAction(seen({ latest: resting, derived: derived("current") }), dual).kind).toBe("idle");
  });
});

describe("a leaked value", () => {
  const request = { trigger: "manual", mode: "compromised", requestId: "q", version: two } as const;
  const open = seen({
    latest: published,
    replaced: { ...replaced, enabled: true },
    provider: { ...works, replaced: "accepted" },
    dependents: confirmed,
  });
  const leak = { ...intent, mode: "compromised" as const, at: now };

  test("upgrades a rotation that is under way", () => {
    const routine = latest({ record: { intent } });
    const asked = seen({ latest: routine, request: { ...request, version: one } });
    expect(nextAction(asked, dual)).toEqual({ kind: "write-intent", mode: "compromised" });
  });

  test("ends the open rotation at once, without its overlap, and is followed by another", () => {
    expect(nextAction({ ...open, request }, dual)).toEqual({ kind: "write-intent", mode: "compromised" });
    const recorded = { ...published, record: { ...published.record, intent: leak } };
    expect(nextAction({ ...open, latest: recorded }, dual)).toEqual({
      kind: "revoke",
      credentialId: "orders_a",
    });
    const closed = { ...recorded, record: { ...recorded.record, state: "retired" as const } };
    const next = nextAction(seen({ latest: closed, provider: works }), dual);
    expect(next).toMatchObject({ kind: "park", slot: "orders_a" });
  });

  test("is retired at the deadline whoever is unconfirmed, and never brought back", () => {
    const leaked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    const stuck = { ...open, latest: leaked, dependents: { unconfirmed: ["/g/one"], confirmed: 0 } };
    const early = { ...stuck, now: leaked.createdAt + 1 };
    const failed = { trigger: "roll-failed", mode: "routine", requestId: "q", version: undefined } as const;
    expect(nextAction(early, dual)).toMatchObject({ kind: "roll" });
    expect(nextAction({ ...early, request: failed }, dual)).toMatchObject({ kind: "roll" });
    expect(nextAction({ ...stuck, now: leaked.createdAt + dual.deadline }, dual).kind).toBe("revoke");
  });

  test("does not forget who could not follow in time: the rotation stays open until they have", () => {
    const leaked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    const behind = { unconfirmed: ["/g/one"], confirmed: 0 };
    const revoked = { ...open, latest: leaked, provider: { ...works, replaced: "rejected" as const } };
    const late = { ...revoked, dependents: behind, now: leaked.createdAt + dual.deadline };
    expect(nextAction(late, dual)).toEqual({ kind: "roll", groups: ["/g/one"] });
    expect(nextAction({ ...late, dependents: confirmed }, dual)).toEqual({ kind: "close" });
  });

  test("is retired in time although a derived secret cannot be written, and although that was given up", () => {
    const hold = { leaked: true, quarantined: "forbidden" };
    const given = { ...published, record: { ...published.record, hold } };
    const stuck = seen({ ...open, latest: given, derived: [{ key: "prod-kv/child", state: "behind" }] });
    expect(nextAction({ ...stuck, now: given.createdAt + 1 }, dual)).toMatchObject({ code: "quarantined" });
    expect(nextAction({ ...stuck, now: given.createdAt + dual.deadline }, dual).kind).toBe("revoke");
  });

  test("that was replaced between the asking and the hearing is marked on the rotation that did it", () => {
    const asked = { ...open, request: { ...request, version: one } };
    expect(nextAction(asked, dual)).toEqual({ kind: "mark-leaked" });
    const marked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    expect(nextAction({ ...asked, latest: marked }, dual)).toEqual({
      kind: "revoke",
      credentialId: "orders_a",
    });
    const back = { ...marked.record, intent: { ...intent, mode: "rolling-back" as const } };
    expect(nextAction({ ...open, latest: { ...marked, record: back } }, dual).kind).toBe("revoke");
  });
});

describe("what a person answers", () => {
  const asked = { trigger: "manual", requestId: "q", version: two } as const;
  const open = seen({ latest: published, replaced, provider: { ...works, replaced: "accepted" } });

  test("that a group needs no waiting for is written down", () => {
    const request = { ...asked, mode: "confirm", subject: "/g/one" } as const;
    expect(nextAction({ ...open, request }, dual)).toEqual({ kind: "waive", group: "/g/one" });
  });

  test("that a credential is to be revoked is done, unless it may be the published one", () => {
    const revoke = (subject: string) => ({ ...asked, mode: "revoke", subject }) as const;
    const named = nextAction({ ...open, request: revoke("orders_a") }, dual);
    expect(named).toEqual({ kind: "revoke", credentialId: "orders_a" });
    for (const id of ["orders_b", "postgres"])
      expect(nextAction({ ...open, request: revoke(id) }, dual)).toMatchObject({ code: "slot-unknown" });
    const untold = { ...open, latest: { ...published, credentialId: "" }, request: revoke("some-key") };
    const minted = aRule({ origin: "minted", slots: [] });
    expect(nextAction(untold, minted)).toMatchObject({ code: "slot-unknown" });
  });
});
