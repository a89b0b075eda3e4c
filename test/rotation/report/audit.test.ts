import { expect, test } from "vitest";
import type { Act } from "../../../src/rotation/model/action.ts";
import { type Cause, recordStep, type Step } from "../../../src/rotation/report/audit.ts";
import { captureLog } from "../../support/capture-log.ts";
import { latest, one, parked, published, rotation, seen, two } from "../decide/facts.ts";

const cause: Cause = { trigger: "manual", mode: "compromised", requestId: "q-1" };
const subject = "prod-kv/orders-db";

function recorded(action: Act, change: Partial<Step> = {}) {
  const logged = captureLog();
  recordStep(logged.log, { action, subject, rotation, facts: seen({ latest: published }), cause, ...change });
  return logged.lines();
}

/** One of every kind with its word in the audit; the compiler sees to it that none is left out. */
const words: { readonly [K in Act["kind"]]: readonly [word: string, action: Extract<Act, { kind: K }>] } = {
  "write-intent": ["intent", { kind: "write-intent", mode: "routine" }],
  "mark-leaked": ["intent", { kind: "mark-leaked" }],
  park: ["park", { kind: "park", slot: "orders_b", rotation }],
  mint: ["mint", { kind: "mint", slot: "orders_b", rotation }],
  apply: ["apply", { kind: "apply", rotation }],
  repair: ["apply", { kind: "repair", rotation }],
  publish: ["publish", { kind: "publish", rotation }],
  "publish-derived": ["publish", { kind: "publish-derived", derived: "prod-kv/orders-url" }],
  "settle-pending": ["prove", { kind: "settle-pending", rotation }],
  "reopen-pending": ["prove", { kind: "reopen-pending", rotation }],
  revoke: ["revoke", { kind: "revoke", credentialId: "orders_a" }],
  reopen: ["revoke", { kind: "reopen", version: one }],
  close: ["disable", { kind: "close" }],
  disable: ["disable", { kind: "disable", version: one }],
  "set-back": ["roll-back", { kind: "set-back", to: "latest" }],
  restore: ["roll-back", { kind: "restore" }],
  waive: ["resolve", { kind: "waive", group: "/groups/one" }],
  "drop-intent": ["resolve", { kind: "drop-intent" }],
};

test.each(Object.values(words).map(([word, action]) => [action.kind, word, action] as const))(
  "%s is audited as %s, in one line",
  (_, word, action) => {
    const lines = recorded(action);
    expect(lines).toMatchObject([{ audit: true, action: word, outcome: "done" }]);
  },
);

test("the audit says which secret and rotation, who asked and why, and which versions", () => {
  const who = { ...cause, actor: "anna", reason: "found in a log" };
  const [line] = recorded({ kind: "close" }, { cause: who });
  expect(line).toMatchObject({
    secret: subject,
    rotation,
    trigger: "manual",
    mode: "compromised",
    request: "q-1",
    actor: "anna",
    reason: "found in a log",
    from: one,
    to: two,
    credential: "orders_b",
  });
});

test("where nothing can be read the audit names no version", () => {
  const [line] = recorded({ kind: "drop-intent" }, { facts: seen({ latest: { kind: "disabled" } }) });
  expect(line).toMatchObject({ action: "resolve", secret: subject });
  for (const field of ["from", "to", "credential", "actor"]) expect(line).not.toHaveProperty(field);
});

test("the audit has ids only: nothing of what else was observed", () => {
  const facts = seen({
    latest: latest({
      record: { dependents: "2 abc", intent: { mode: "routine", requestId: "other", at: 1 } },
    }),
    pending: parked,
  });
  const [line] = recorded({ kind: "apply", rotation }, { facts });
  const standard = ["level", "time", "msg", "pid", "hostname", "service", "trace_id", "span_id"];
  const fields = Object.keys(line ?? {}).filter((name) => !standard.includes(name));
  expect(fields.toSorted()).toEqual(
    [
      "action",
      "audit",
      "credential",
      "mode",
      "outcome",
      "request",
      "rotation",
      "secret",
      "to",
      "trigger",
    ].toSorted(),
  );
});

test("who stored a version right before keyturn's publish is warned when the rotation closes, once", () => {
  const facts = seen({ latest: { ...published, between: ["c".repeat(32)] } });
  const [, ...warned] = recorded({ kind: "close" }, { facts });
  expect(warned).toMatchObject([
    { level: 40, code: "foreign-version", secret: subject, versions: ["c".repeat(32)], latest: two },
  ]);
  expect(recorded({ kind: "revoke", credentialId: "orders_a" }, { facts })).toHaveLength(1);
  expect(
    recorded({ kind: "close" }, { facts: seen({ latest: { ...published, between: [] } }) }),
  ).toHaveLength(1);
});
