import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { discard, standDown } from "../../../src/rotation/decide/stand-down.ts";
import type { ProviderFacts } from "../../../src/rotation/model/observation.ts";
import { dual, intent, latest, now, one, parked, seen, works } from "./facts.ts";
import { aRule, day } from "./rules.ts";
import { situation } from "./situation.ts";

describe("a rotation that went wrong", () => {
  test("and is taken back by a person leaves no candidate alive at the provider", () => {
    const request = { trigger: "manual", mode: "abandon", requestId: "q", version: one } as const;
    const asked = seen({ latest: latest({ record: { intent } }), pending: parked, request });
    expect(nextAction(asked, dual)).toEqual({ kind: "observe", what: "provider" });
    const applied = { ...asked, provider: { ...works, pending: "accepted" } } as const;
    expect(nextAction(applied, dual)).toEqual({ kind: "revoke", credentialId: "orders_b" });
    expect(nextAction({ ...asked, provider: works }, dual)).toEqual({ kind: "drop-intent" });
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
});

describe("standing down", () => {
  const single = aRule({ slots: ["orders_a"] });
  const asked = latest({ record: { intent } });
  const inPlace = { pending: { ...parked, credentialId: "orders_a" } } as const;
  const answers = (change: Partial<ProviderFacts>) => ({ ...inPlace, provider: { ...works, ...change } });

  test("asks the provider whether it holds the candidate already", () => {
    expect(standDown(situation(asked, inPlace, single))).toEqual({ kind: "observe", what: "provider" });
    for (const place of ["latest", "pending"] as const)
      expect(standDown(situation(asked, answers({ [place]: "unknown" }), single))).toMatchObject({
        kind: "wait",
        reason: "provider",
      });
  });

  test("sets a single credential back before what was asked is taken back", () => {
    const applied = answers({ latest: "rejected", pending: "accepted" });
    expect(discard(situation(asked, applied, single))).toEqual({ kind: "set-back", to: "latest" });
    expect(discard(situation(asked, answers({}), single))).toEqual({ kind: "drop-intent" });
  });

  test("waits with the candidate beside latest until the provider can say whether it is alive", () => {
    const beside = { pending: parked, provider: { ...works, pending: "unknown" } } as const;
    expect(discard(situation(asked, beside))).toMatchObject({ kind: "wait", reason: "provider" });
  });
});
