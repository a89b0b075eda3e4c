import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { DerivedFacts } from "../../../src/rotation/model/observation.ts";
import { confirmed, dual, intent, latest, now, parked, published, replaced, seen, works } from "./facts.ts";
import { day } from "./rules.ts";

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
