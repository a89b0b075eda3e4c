import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { retire } from "../../../src/rotation/decide/retire.ts";
import { confirmed, dual, now, one, published, replaced, rotation, seen, works } from "./facts.ts";
import { aRule, day } from "./rules.ts";
import { situation } from "./situation.ts";

describe("after the publish", () => {
  const after = seen({ latest: published, replaced: { ...replaced, enabled: true }, provider: works });

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

  test("a single credential has nothing to revoke: its old value is dead already", () => {
    const rules = aRule({ slots: ["orders_b"] });
    const same = {
      ...after,
      replaced: { ...replaced, enabled: true, credentialId: "orders_b" },
      dependents: confirmed,
    };
    expect(nextAction({ ...same, now: published.createdAt + day }, rules)).toEqual({ kind: "close" });
  });
});

describe("a rotation that went wrong", () => {
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
});

describe("a leaked value", () => {
  const open = seen({
    latest: published,
    replaced: { ...replaced, enabled: true },
    provider: { ...works, replaced: "accepted" },
    dependents: confirmed,
  });

  test("does not forget who could not follow in time: the rotation stays open until they have", () => {
    const leaked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    const behind = { unconfirmed: ["/g/one"], confirmed: 0 };
    const revoked = { ...open, latest: leaked, provider: { ...works, replaced: "rejected" as const } };
    const late = { ...revoked, dependents: behind, now: leaked.createdAt + dual.deadline };
    expect(nextAction(late, dual)).toEqual({ kind: "roll", groups: ["/g/one"] });
    expect(nextAction({ ...late, dependents: confirmed }, dual)).toEqual({ kind: "close" });
  });
});

describe("the end of a rotation", () => {
  const alive = { ...works, replaced: "accepted" } as const;
  const over = { replaced, provider: alive, dependents: confirmed, now: now + 30 * day };
  const secrets = aRule({ origin: "minted", slots: [] });

  test("leaves the old credential alive where the policy says so", () => {
    expect(retire(situation(published, over))).toEqual({ kind: "revoke", credentialId: "orders_a" });
    expect(retire(situation(published, over, { ...dual, retire: false }))).toEqual({ kind: "close" });
  });

  test("revokes first what our own minting left behind", () => {
    const orphans = { ...over, provider: { ...alive, orphans: ["k7"] } };
    expect(retire(situation(published, orphans, secrets))).toEqual({ kind: "revoke", credentialId: "k7" });
  });

  test("asks which credential it is where the provider does not tell", () => {
    const unnamed = { ...over, replaced: { ...replaced, credentialId: "" } };
    expect(retire(situation(published, unnamed, secrets))).toMatchObject({
      kind: "stop",
      code: "slot-unknown",
    });
  });

  test("waits for a provider that cannot be asked about the old one", () => {
    const unsure = { ...over, provider: { ...works, replaced: "unknown" } } as const;
    expect(retire(situation(published, unsure))).toMatchObject({ kind: "wait", reason: "provider" });
  });
});
