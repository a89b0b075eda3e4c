import { expect, test } from "vitest";
import type { Action } from "../../../src/rotation/model/action.ts";
import { describeAction } from "../../../src/rotation/report/describe.ts";
import { day } from "../decide/rules.ts";
import { now, rotation } from "../decide/facts.ts";

const version = "c".repeat(32);

/** One of every kind; the compiler sees to it that none is left out. */
const each: { readonly [K in Action["kind"]]: Extract<Action, { kind: K }> } = {
  observe: { kind: "observe", what: "provider" },
  "write-intent": { kind: "write-intent", mode: "compromised" },
  park: { kind: "park", slot: "orders_b", rotation },
  mint: { kind: "mint", slot: "key2", rotation },
  apply: { kind: "apply", rotation },
  publish: { kind: "publish", rotation },
  "reopen-pending": { kind: "reopen-pending", rotation },
  repair: { kind: "repair", rotation },
  "settle-pending": { kind: "settle-pending", rotation },
  "publish-derived": { kind: "publish-derived", derived: "prod-kv/orders-url" },
  roll: { kind: "roll", groups: ["one", "two"] },
  revoke: { kind: "revoke", credentialId: "orders_a" },
  close: { kind: "close" },
  reopen: { kind: "reopen", version },
  "mark-leaked": { kind: "mark-leaked" },
  disable: { kind: "disable", version },
  waive: { kind: "waive", group: "/groups/one" },
  "set-back": { kind: "set-back", to: "replaced" },
  restore: { kind: "restore" },
  "drop-intent": { kind: "drop-intent" },
  wait: { kind: "wait", until: now, reason: "overlap" },
  idle: { kind: "idle", until: now, reason: "not-due" },
  stop: { kind: "stop", code: "quarantined", question: "what now?" },
};
const actions: readonly Action[] = Object.values(each);

test.each(actions.map((action) => [action.kind, action] as const))(
  "%s has a short word for its step and a text for a person",
  (_, action) => {
    const { step, text } = describeAction(action);
    expect(step).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(text).toMatch(/\S/);
    expect(text).not.toMatch(/undefined|null|\[object|NaN/);
  },
);

test("every step has a word of its own, but for the two that enable a version again", () => {
  const others = actions.filter(({ kind }) => kind !== "reopen");
  const steps = others.map((action) => describeAction(action).step);
  expect(new Set(steps).size).toBe(steps.length);
  expect(describeAction(each.reopen).step).toBe(describeAction(each["reopen-pending"]).step);
});

test("what is done to something is said with its id", () => {
  const text = (action: Action) => describeAction(action).text;
  expect(text(each["write-intent"])).toContain("compromised");
  expect(text(each.park)).toContain("'orders_b'");
  expect(text(each.mint)).toContain("'key2'");
  expect(text(each.revoke)).toContain("'orders_a'");
  expect(text(each.reopen)).toContain(version);
  expect(text(each.disable)).toContain(version);
  expect(text(each.waive)).toContain("/groups/one");
  expect(text(each["publish-derived"])).toContain("prod-kv/orders-url");
  expect(text(each.roll)).toContain("2 container group(s)");
});

test("where there are no slots none is named", () => {
  expect(describeAction({ kind: "park", slot: "", rotation }).text).not.toContain("'");
  expect(describeAction({ kind: "mint", slot: "", rotation }).text).not.toContain("'");
});

test("the way back is to the published value or to the replaced one", () => {
  expect(describeAction({ kind: "set-back", to: "latest" }).text).toContain("published");
  expect(describeAction({ kind: "set-back", to: "replaced" }).text).toContain("replaced");
});

test.each(["overlap", "slot", "down", "provider", "propagation", "agreement"] as const)(
  "a wait for %s says until when in a field of its own",
  (reason) => {
    const described = describeAction({ kind: "wait", until: now + day, reason });
    expect(described).toMatchObject({ step: reason === "overlap" ? "overlap" : "waiting", until: now + day });
    expect(described).not.toHaveProperty("code");
  },
);

test("a question says its code in a field of its own, and the text is the question", () => {
  expect(describeAction(each.stop)).toEqual({ step: "needs-human", text: "what now?", code: "quarantined" });
});

test("a step that waits for no time and asks nobody has neither field", () => {
  expect(Object.keys(describeAction(each.publish))).toEqual(["step", "text"]);
});

test("there is nothing to do for a reason: not yet, not asked, held back, or somebody was faster", () => {
  const text = (action: Omit<Extract<Action, { kind: "idle" }>, "kind">) =>
    describeAction({ kind: "idle", ...action }).text;
  const until = Date.UTC(2026, 11, 1);
  expect(text({ until, reason: "not-due" })).toContain("2026-12-01T00:00:00.000Z");
  expect(text({ until, reason: "not-before" })).toMatch(/roll-back.*2026-12-01T00:00:00.000Z/);
  expect(text({ until, reason: "not-asked" })).not.toContain("2026");
  expect(text({ until, reason: "superseded", by: rotation })).toContain(rotation);
  expect(text({ until, reason: "superseded" })).toContain("somebody else");
});

test("an expiry that is further away than any date is described and not thrown at", () => {
  const action: Action = { kind: "idle", until: 9e15, reason: "not-due" };
  expect(describeAction(action).text).toContain("the end of time");
});
