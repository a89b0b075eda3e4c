import { describe, expect, test } from "vitest";
import { standsAgainstCandidate } from "../../../src/rotation/decide/before-candidate.ts";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { confirmed, dual, intent, latest, now, seen, works } from "./facts.ts";
import { aRule, day, hour } from "./rules.ts";
import { situation } from "./situation.ts";

describe("before the publish", () => {
  test("a value somebody else wrote is adopted only if it fits the template and the provider accepts it", () => {
    const unread = latest({ record: { intent }, credentialId: undefined });
    expect(nextAction(seen({ latest: unread }), dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
    const refused = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, latest: "rejected" },
    });
    expect(nextAction(refused, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
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
});

describe("before there is a candidate", () => {
  const asked = { record: { intent } } as const;
  const patienceOver = { expiresAt: now + day } as const;

  test("what could not be derived is read, even if nobody waits for readers any more", () => {
    const first = latest({ ...asked, ...patienceOver });
    const unread = situation(first, { provider: works, derived: undefined });
    expect(standsAgainstCandidate(unread)).toEqual({ kind: "observe", what: "derived" });
    expect(standsAgainstCandidate(situation(first, { provider: works }))).toBeUndefined();
  });

  test("the readers of a version that cannot be asked about are read as well", () => {
    const disabled = latest({ ...asked, enabled: false });
    const unread = situation(disabled, { provider: works, derived: undefined });
    expect(standsAgainstCandidate(unread)).toEqual({ kind: "observe", what: "derived" });
  });

  test("who is down is read first", () => {
    const unread = situation(latest(asked), { provider: works, dependents: undefined });
    expect(standsAgainstCandidate(unread)).toEqual({ kind: "observe", what: "dependents" });
    expect(
      standsAgainstCandidate(situation(latest(asked), { provider: works, dependents: confirmed })),
    ).toBeUndefined();
  });

  test("readers of derived secrets leave the other slot, too: those secrets are built first", () => {
    const later = latest({ ...asked, first: false });
    const derived = [{ key: "prod-kv/orders-jdbc", state: "behind" }] as const;
    expect(standsAgainstCandidate(situation(later, { provider: works, derived }))).toEqual({
      kind: "publish-derived",
      derived: "prod-kv/orders-jdbc",
    });
  });
});
