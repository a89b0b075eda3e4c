import { describe, expect, test } from "vitest";
import { followForeignVersion, standsAgainst } from "../../../src/rotation/decide/foreign-version.ts";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { Observation } from "../../../src/rotation/model/observation.ts";
import {
  confirmed,
  dual,
  intent,
  latest,
  now,
  one,
  parked,
  published,
  roll,
  rotation,
  seen,
  stored,
  two,
  works,
} from "./facts.ts";
import { aRule, day, hour } from "./rules.ts";
import { situation } from "./situation.ts";

/** Ours, for slot b, which replaced the version for slot a; somebody's version is on top. */
function overtaken(change: Partial<Observation> = {}): Observation {
  return seen({
    latest: stored(),
    overtaken: { ...published, version: two },
    replaced: { ...latest(), version: one },
    provider: { ...works, replaced: "rejected", overtaken: "accepted" },
    ...change,
  });
}

describe("after the publish", () => {
  test("a version somebody else stored is followed though the news of it was lost, until that is done", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const found = seen({ latest: foreign, provider: works });
    expect(nextAction(found, dual)).toEqual({ kind: "write-intent", mode: "roll" });
    const copied = { ...foreign, record: { state: "retired", rotation, from: one } } as const;
    expect(nextAction({ ...found, latest: copied }, dual)).toEqual({ kind: "write-intent", mode: "roll" });
    const done = { ...foreign, record: { state: "retired", from: two } } as const;
    expect(nextAction({ ...found, latest: done }, dual).kind).toBe("idle");
  });

  test("a version somebody else stored moves its dependents and rotates nothing", () => {
    const foreign = latest({ first: false, version: two, expiresAt: now + 90 * day });
    const request = { trigger: "new-version", mode: "routine", requestId: "q", version: two } as const;
    expect(nextAction(seen({ latest: foreign, request, provider: works }), dual)).toEqual({
      kind: "write-intent",
      mode: "roll",
    });
    const rolling = { ...foreign, record: { intent: { ...intent, mode: "roll" as const } } };
    const unconfirmed = { unconfirmed: ["/g/one"], confirmed: 0 };
    const moving = seen({ latest: rolling, provider: works });
    expect(nextAction({ ...moving, dependents: unconfirmed }, dual).kind).toBe("roll");
    expect(nextAction({ ...moving, dependents: confirmed }, dual).kind).toBe("close");
  });
});

describe("a version that somebody stored on top of an open rotation", () => {
  test("is followed whatever the job was queued for, once the provider is seen to accept it", () => {
    expect(nextAction(overtaken({ provider: undefined }), dual)).toEqual({
      kind: "observe",
      what: "provider",
    });
    expect(nextAction(overtaken(), dual)).toEqual({ kind: "write-intent", mode: "roll" });
  });

  test("retires ours after its own readers are confirmed and the overlap is over", () => {
    const following = overtaken({ latest: stored({ record: { intent: roll } }) });
    const unconfirmed = { unconfirmed: ["/g/one"], confirmed: 1 };
    expect(nextAction({ ...following, dependents: unconfirmed }, dual).kind).toBe("roll");
    const ready = { ...following, dependents: confirmed };
    expect(nextAction(ready, dual)).toEqual({ kind: "wait", until: now - hour + day, reason: "overlap" });
    const late = { ...ready, now: now + day };
    expect(nextAction(late, dual)).toEqual({ kind: "revoke", credentialId: "orders_b" });
    const revoked = { ...late, provider: { ...works, replaced: "rejected", overtaken: "rejected" } } as const;
    expect(nextAction(revoked, dual)).toEqual({ kind: "disable", version: two });
    const disabled = { ...revoked, overtaken: { ...published, version: two, enabled: false } };
    expect(nextAction(disabled, dual)).toEqual({ kind: "close" });
  });

  test("retires what ours had replaced as well, but never the credential that it holds itself", () => {
    const mine = stored({ credentialId: "orders_b", record: { intent: roll } });
    const late = overtaken({ latest: mine, dependents: confirmed, now: now + day });
    const same = { ...late, provider: { ...works, overtaken: "accepted", replaced: "accepted" } } as const;
    expect(nextAction(same, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
    const revoked = { ...late, provider: { ...works, overtaken: "accepted", replaced: "rejected" } } as const;
    expect(nextAction(revoked, dual).kind).toBe("disable");
    expect(nextAction(same, { ...dual, retire: false }).kind).toBe("disable");
  });

  test("is a question if the provider refuses it: nobody is restarted onto it, and nothing is retired", () => {
    const refused = { ...works, latest: "rejected", overtaken: "accepted", replaced: "accepted" } as const;
    const wrong = overtaken({ provider: refused, dependents: confirmed, now: now + 9 * day });
    expect(nextAction(wrong, dual)).toMatchObject({ kind: "stop", code: "foreign-version" });
    const following = { ...wrong, latest: stored({ record: { intent: roll } }) };
    expect(nextAction(following, dual)).toMatchObject({ kind: "stop", code: "foreign-version" });
  });

  test("is a question if its text holds no credential", () => {
    const unreadable = overtaken({ latest: stored({ credentialId: undefined }) });
    expect(nextAction(unreadable, dual)).toMatchObject({ kind: "stop", code: "cannot-adopt" });
  });
});

describe("a version that somebody stored while a single credential was being replaced", () => {
  const single = aRule({ slots: ["orders_a"] });
  const candidate = { ...parked, credentialId: "orders_a" } as const;
  const applied = { ...works, latest: "rejected", pending: "accepted", replaced: "rejected" } as const;
  const found = seen({ latest: stored(), replaced: latest(), pending: candidate, provider: applied });

  test("and that the provider refuses: it is made to accept again what the readers hold, then a person is asked", () => {
    expect(nextAction(found, single)).toEqual({ kind: "set-back", to: "replaced" });
    const back = { ...found, provider: { ...works, latest: "rejected", replaced: "accepted" } } as const;
    expect(nextAction(back, single)).toMatchObject({ kind: "stop", code: "foreign-version" });
  });

  test("after our publish, but before anybody was moved, comes to the same", () => {
    const ours = { ...published, version: two, credentialId: "orders_a" };
    expect(nextAction({ ...found, overtaken: ours }, single)).toEqual({ kind: "set-back", to: "replaced" });
    const proven = { ...found, overtaken: ours, pending: { kind: "none" } } as const;
    expect(nextAction(proven, single)).toMatchObject({ kind: "stop", code: "foreign-version" });
    const other = { ...ours, record: { ...ours.record, rotation: `r-${"d".repeat(26)}` } };
    expect(nextAction({ ...found, overtaken: other }, single)).toMatchObject({ kind: "stop" });
  });

  test("and that is due already comes to the same", () => {
    const due = { ...found, latest: stored({ expiresAt: now + day, record: { intent } }) };
    expect(nextAction(due, single)).toEqual({ kind: "set-back", to: "replaced" });
  });

  test("and that works is followed, without the candidate", () => {
    const works2 = { ...applied, latest: "accepted", pending: "rejected" } as const;
    const following = { ...found, latest: stored({ record: { intent: roll } }), provider: works2 };
    expect(nextAction(following, single)).toEqual({ kind: "settle-pending", rotation });
  });

  test("is nothing that the provider is set to where two credentials take turns", () => {
    expect(nextAction(found, dual)).toMatchObject({ kind: "stop", code: "foreign-version" });
  });
});

test("nobody is restarted onto a version that its provider cannot be asked about now", () => {
  const unsure = situation(stored(), { provider: { ...works, latest: "unknown" } });
  expect(standsAgainst(unsure)).toMatchObject({ kind: "wait", reason: "provider" });
});

test("a derived secret that somebody else wrote is asked about once the readers have moved", () => {
  const moved = { provider: works, dependents: confirmed } as const;
  const derived = [{ key: "prod-kv/orders-jdbc", state: "foreign" }] as const;
  expect(followForeignVersion(situation(stored(), { ...moved, derived }))).toMatchObject({
    kind: "stop",
    code: "cannot-adopt",
  });
  expect(followForeignVersion(situation(stored(), moved))).toEqual({ kind: "close" });
});
