import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { Observation } from "../../../src/rotation/model/observation.ts";
import { dual, intent, latest, now, one, parked, replaced, rotation, seen, two } from "./facts.ts";
import { aRule, day } from "./rules.ts";

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
