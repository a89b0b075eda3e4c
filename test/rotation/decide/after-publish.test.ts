import { describe, expect, test } from "vitest";
import { afterPublish } from "../../../src/rotation/decide/after-publish.ts";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
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
  three,
  two,
  works,
} from "./facts.ts";
import { aRule, day } from "./rules.ts";
import { situation } from "./situation.ts";

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

  test("a template that does not fit what was published any more is a question", () => {
    const unreadable = { ...after, latest: { ...published, credentialId: undefined } };
    expect(nextAction(unreadable, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
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
});

describe("a rotation that went wrong", () => {
  const open = { latest: published, replaced: { ...replaced, enabled: true }, provider: works };
  const unconfirmed = { unconfirmed: ["/g/one"], confirmed: 0 };
  const failed = { trigger: "roll-failed", mode: "routine", requestId: "q", version: undefined } as const;

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

  test("is retired in time although a derived secret cannot be written, and although that was given up", () => {
    const hold = { leaked: true, quarantined: "forbidden" };
    const given = { ...published, record: { ...published.record, hold } };
    const stuck = seen({ ...open, latest: given, derived: [{ key: "prod-kv/child", state: "behind" }] });
    expect(nextAction({ ...stuck, now: given.createdAt + 1 }, dual)).toMatchObject({ code: "quarantined" });
    expect(nextAction({ ...stuck, now: given.createdAt + dual.deadline }, dual).kind).toBe("revoke");
  });
});

describe("a version that somebody stored right before ours", () => {
  const ours = { ...published, between: [three] };
  const candidate = { ...parked, equalsLatest: true };
  const open = seen({ latest: ours, pending: candidate, replaced: latest(), dependents: confirmed });
  const facts = { ...works, pending: "accepted", replaced: "accepted" } as const;

  test("changes nothing, except that the parked copy is kept to the end: only that tells that latest is ours", () => {
    expect(nextAction({ ...open, provider: facts }, dual)).toMatchObject({ kind: "wait", reason: "overlap" });
    const late = { ...open, provider: facts, now: now + day };
    expect(nextAction(late, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
  });

  test("leaves a parked copy that the next look puts away, if we die at the very end", () => {
    const closed = { ...ours, record: { ...ours.record, state: "retired" as const } };
    expect(nextAction({ ...open, latest: closed }, dual)).toEqual({ kind: "settle-pending", rotation });
  });
});

describe("a group that was there at the publish and cannot be found", () => {
  const open = seen({
    latest: published,
    replaced: latest(),
    provider: { ...works, replaced: "accepted" },
    dependents: { ...confirmed, lost: 1 },
  });

  test("keeps the old credential alive, and is told", () => {
    const late = { ...open, now: now + day };
    expect(nextAction(late, dual)).toMatchObject({ kind: "stop", code: "dependents-missing" });
  });

  test("does not keep a leaked credential alive beyond the deadline", () => {
    const record = { ...published.record, hold: { leaked: true } };
    const leaked = { ...open, latest: { ...published, record }, now: now + day };
    expect(nextAction(leaked, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
  });
});

test("beyond the deadline of a leak, what is derived is read all the same: it is closed with its parent", () => {
  const leaked = { ...published, record: { ...published.record, hold: { leaked: true } } };
  const late = { provider: works, derived: undefined, dependents: confirmed, now: now + day };
  expect(afterPublish(situation(leaked, late))).toEqual({ kind: "observe", what: "derived" });
});
