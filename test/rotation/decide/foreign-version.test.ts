import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { Observation, ReadableLatest } from "../../../src/rotation/model/observation.ts";
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
  two,
  works,
} from "./facts.ts";
import { aRule, day, hour } from "./rules.ts";

const three = "c".repeat(32);
const roll = { ...intent, mode: "roll" } as const;

/** What somebody stored a moment ago, for slot a as it is now. */
function stored(change: Partial<ReadableLatest> = {}): ReadableLatest {
  const fresh = { version: three, first: false, createdAt: now - hour, expiresAt: now + 90 * day };
  return latest({ ...fresh, rotation: `r-${"c".repeat(26)}`, ...change });
}

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

describe("a version that somebody stored right before ours", () => {
  const ours = { ...published, between: [three] };
  const candidate = { ...parked, equalsLatest: true };
  const open = seen({ latest: ours, pending: candidate, replaced: latest(), dependents: confirmed });
  const facts = { ...works, pending: "accepted", replaced: "accepted" } as const;

  test("changes nothing, except that the parked copy is kept to the end: only that tells that latest is ours", () => {
    expect(nextAction({ ...open, provider: facts }, dual)).toMatchObject({ kind: "wait", reason: "overlap" });
    const late = { ...open, provider: facts, now: now + day };
    expect(nextAction(late, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
  });

  test("leaves a parked copy that the next look puts away, if we die at the very end", () => {
    const closed = { ...ours, record: { ...ours.record, state: "retired" as const } };
    expect(nextAction({ ...open, latest: closed }, dual)).toEqual({ kind: "settle-pending", rotation });
  });
});

describe("groups that gate nothing", () => {
  const others = { ...confirmed, others: ["/g/found"] };
  const open = seen({ latest: published, replaced: latest(), provider: { ...works, replaced: "accepted" } });

  test("do not hold up the retirement, but are brought along before the rotation is closed", () => {
    const late = { ...open, dependents: others, now: published.createdAt + day };
    expect(nextAction(late, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
    const revoked = { ...late, provider: { ...works, replaced: "rejected" } } as const;
    expect(nextAction(revoked, dual)).toEqual({ kind: "roll", groups: ["/g/found"] });
    expect(nextAction({ ...revoked, now: late.now + dual.deadline }, dual)).toEqual({ kind: "close" });
  });

  test("are moved onto a version that somebody stored", () => {
    const moving = seen({
      latest: stored({ record: { intent: roll } }),
      provider: works,
      dependents: others,
    });
    expect(nextAction(moving, dual)).toEqual({ kind: "roll", groups: ["/g/found"] });
  });
});

describe("a group that was there at the publish and cannot be found", () => {
  const open = seen({
    latest: published,
    replaced: latest(),
    provider: { ...works, replaced: "accepted" },
    dependents: { ...confirmed, lost: 1 },
  });

  test("keeps the old credential alive, and is told", () => {
    const late = { ...open, now: now + day };
    expect(nextAction(late, dual)).toMatchObject({ kind: "stop", code: "dependents-missing" });
  });

  test("does not keep a leaked credential alive beyond the deadline", () => {
    const record = { ...published.record, hold: { leaked: true } };
    const leaked = { ...open, latest: { ...published, record }, now: now + day };
    expect(nextAction(leaked, dual)).toEqual({ kind: "revoke", credentialId: "orders_a" });
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
