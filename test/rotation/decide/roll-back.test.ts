import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { rollBack } from "../../../src/rotation/decide/roll-back.ts";
import { confirmed, dual, intent, published, replaced, seen, works } from "./facts.ts";
import { aRule } from "./rules.ts";
import { situation } from "./situation.ts";

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
});

describe("the way back", () => {
  const back = {
    ...published,
    record: { ...published.record, intent: { ...intent, mode: "rolling-back" } },
  } as const;
  const good = { ...replaced, enabled: true };

  test("asks the provider about the old value first, and waits where it cannot say", () => {
    expect(rollBack(situation(back, { replaced: good }))).toEqual({ kind: "observe", what: "provider" });
    const unsure = { ...works, replaced: "unknown" } as const;
    expect(rollBack(situation(back, { replaced: good, provider: unsure }))).toMatchObject({
      kind: "wait",
      reason: "provider",
    });
  });

  test("does not ask the provider about a value that is gone", () => {
    const gone = {
      replaced: { ...good, enabled: false },
      dependents: { unconfirmed: ["/g/one"], confirmed: 0 },
    };
    expect(rollBack(situation(back, gone))).toMatchObject({ kind: "stop", code: "cannot-roll-back" });
    expect(rollBack(situation(back, { replaced: undefined }))).toEqual({
      kind: "observe",
      what: "dependents",
    });
  });
});
