import { expect, test } from "vitest";
import { doesNotFit, isAct, pause, stop } from "../../../src/rotation/model/action.ts";
import { now, seen } from "../decide/facts.ts";
import { aRule } from "../decide/rules.ts";

test("a provider that could not be asked is left alone for a few seconds", () => {
  const action = pause(seen());
  expect(action).toEqual({ kind: "wait", until: now + 5_000, reason: "provider" });
});

test("a question has a code, and names the secret whose text does not fit, not the text", () => {
  expect(stop("quarantined", "what now?")).toEqual({
    kind: "stop",
    code: "quarantined",
    question: "what now?",
  });
  expect(doesNotFit(aRule())).toMatchObject({
    kind: "stop",
    code: "cannot-adopt",
    question: expect.stringContaining("prod-kv/orders-db"),
  });
});

test("what waits, asks, rolls or has nothing to do changes nothing; every other step does", () => {
  const until = now;
  expect(isAct({ kind: "roll", groups: [] })).toBe(false);
  expect(isAct({ kind: "wait", until, reason: "overlap" })).toBe(false);
  expect(isAct({ kind: "idle", until, reason: "not-due" })).toBe(false);
  expect(isAct({ kind: "stop", code: "quarantined", question: "what now?" })).toBe(false);
  expect(isAct({ kind: "close" })).toBe(true);
  expect(isAct({ kind: "write-intent", mode: "routine" })).toBe(true);
});
