import { describe, expect, test } from "vitest";
import { beforePublish } from "../../../src/rotation/decide/before-publish.ts";
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
  rotation,
  seen,
  works,
} from "./facts.ts";
import { aRule } from "./rules.ts";
import { situation } from "./situation.ts";

describe("before the publish", () => {
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
});

describe("a rotation that went wrong", () => {
  test("makes a candidate anew that was refused too often", () => {
    const ready = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, pending: "accepted" },
    });
    expect(nextAction({ ...ready, pending: { ...parked, rejections: 2 } }, dual).kind).toBe("publish");
    expect(nextAction({ ...ready, pending: { ...parked, rejections: 3 } }, dual).kind).toBe("park");
  });
});

describe("a leaked version that was disabled by hand", () => {
  const leak = { ...intent, mode: "compromised" } as const;
  const disabled = latest({ enabled: false, record: { intent: leak } });
  const cannotAsk = { ...works, latest: "unknown" } as const;

  test("is replaced all the same, in the slot that its tags do not name", () => {
    const ready = seen({ latest: disabled, provider: cannotAsk });
    expect(nextAction(ready, dual)).toMatchObject({ kind: "park", slot: "orders_b" });
  });

  test("is a question if its tags do not tell the slot, or if its rotation is open", () => {
    const unknown = { ...disabled, credentialId: undefined };
    expect(nextAction(seen({ latest: unknown }), dual)).toMatchObject({
      kind: "stop",
      code: "secret-disabled",
    });
    const open = { ...published, enabled: false, record: { ...published.record, intent: leak } };
    expect(nextAction(seen({ latest: open }), dual)).toMatchObject({ kind: "stop", code: "secret-disabled" });
  });

  test("ends with its version enabled for a moment, to see which credential is to be revoked", () => {
    const record = { ...published.record, hold: { leaked: true } };
    const replaced = { ...disabled, credentialId: undefined };
    const open = seen({ latest: { ...published, record }, replaced, provider: works, dependents: confirmed });
    expect(nextAction(open, dual)).toEqual({ kind: "reopen", version: one });
    expect(nextAction(open, aRule({ slots: [], origin: "minted" })).kind).toBe("reopen");
    expect(nextAction(open, aRule({ slots: ["orders_b"] })).kind).toBe("close");
    expect(nextAction(open, aRule({ slots: [] })).kind).toBe("close");
  });
});

test("the provider is asked before anything is said about a candidate", () => {
  const asked = latest({ record: { intent } });
  expect(beforePublish(situation(asked, { pending: parked }))).toEqual({ kind: "observe", what: "provider" });
});
