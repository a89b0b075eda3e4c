import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { answerRequest } from "../../../src/rotation/decide/requests.ts";
import { confirmed, dual, intent, latest, now, one, published, replaced, seen, two, works } from "./facts.ts";
import { aRule, day } from "./rules.ts";
import { situation } from "./situation.ts";

describe("before the publish", () => {
  test("a manual request is recorded although nothing is due", () => {
    const fresh = latest({ expiresAt: now + 90 * day });
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: one } as const;
    expect(nextAction(seen({ latest: fresh, request }), dual)).toEqual({
      kind: "write-intent",
      mode: "routine",
    });
  });
});

describe("after the publish", () => {
  const after = seen({ latest: published, replaced: { ...replaced, enabled: true }, provider: works });

  test("a manual request during the overlap is recorded, and waits until the open rotation is closed", () => {
    const request = { trigger: "manual", mode: "routine", requestId: "q", version: two } as const;
    const early = { ...after, dependents: confirmed, request };
    expect(nextAction(early, dual).kind).toBe("write-intent");
    const recorded = { ...published, record: { ...published.record, intent } };
    expect(nextAction({ ...early, latest: recorded }, dual)).toMatchObject({
      kind: "wait",
      reason: "overlap",
    });
  });
});

describe("a leaked value", () => {
  const request = { trigger: "manual", mode: "compromised", requestId: "q", version: two } as const;
  const open = seen({
    latest: published,
    replaced: { ...replaced, enabled: true },
    provider: { ...works, replaced: "accepted" },
    dependents: confirmed,
  });

  test("upgrades a rotation that is under way", () => {
    const routine = latest({ record: { intent } });
    const asked = seen({ latest: routine, request: { ...request, version: one } });
    expect(nextAction(asked, dual)).toEqual({ kind: "write-intent", mode: "compromised" });
  });

  test("that was replaced between the asking and the hearing is marked on the rotation that did it", () => {
    const asked = { ...open, request: { ...request, version: one } };
    expect(nextAction(asked, dual)).toEqual({ kind: "mark-leaked" });
    const marked = { ...published, record: { ...published.record, hold: { leaked: true } } };
    expect(nextAction({ ...asked, latest: marked }, dual)).toEqual({
      kind: "revoke",
      credentialId: "orders_a",
    });
    const back = { ...marked.record, intent: { ...intent, mode: "rolling-back" as const } };
    expect(nextAction({ ...open, latest: { ...marked, record: back } }, dual).kind).toBe("revoke");
  });
});

describe("what a person answers", () => {
  const asked = { trigger: "manual", requestId: "q", version: two } as const;
  const open = seen({ latest: published, replaced, provider: { ...works, replaced: "accepted" } });

  test("that a group needs no waiting for is written down", () => {
    const request = { ...asked, mode: "confirm", subject: "/g/one" } as const;
    expect(nextAction({ ...open, request }, dual)).toEqual({ kind: "waive", group: "/g/one" });
  });

  test("that a credential is to be revoked is done, unless it may be the published one", () => {
    const revoke = (subject: string) => ({ ...asked, mode: "revoke", subject }) as const;
    const named = nextAction({ ...open, request: revoke("orders_a") }, dual);
    expect(named).toEqual({ kind: "revoke", credentialId: "orders_a" });
    for (const id of ["orders_b", "postgres"])
      expect(nextAction({ ...open, request: revoke(id) }, dual)).toMatchObject({ code: "slot-unknown" });
    const untold = { ...open, latest: { ...published, credentialId: "" }, request: revoke("some-key") };
    const minted = aRule({ origin: "minted", slots: [] });
    expect(nextAction(untold, minted)).toMatchObject({ code: "slot-unknown" });
  });
});

test("before a person's credential is revoked, the provider has to say which one is published", () => {
  const request = {
    trigger: "manual",
    mode: "revoke",
    subject: "orders_a",
    requestId: "q",
    version: two,
  } as const;
  expect(answerRequest(situation(published, { request }))).toEqual({ kind: "observe", what: "provider" });
  const unsure = { ...works, latest: "unknown" } as const;
  expect(answerRequest(situation(published, { request, provider: unsure }))).toMatchObject({
    kind: "wait",
    reason: "provider",
  });
  expect(answerRequest(situation(published, { request, provider: works }))).toEqual({
    kind: "revoke",
    credentialId: "orders_a",
  });
});
