import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import type { ReadableLatest } from "../../../src/rotation/model/observation.ts";
import { confirmed, dual, intent, latest, now, published, seen, works } from "./facts.ts";
import { day, hour } from "./rules.ts";

const three = "c".repeat(32);

const roll = { ...intent, mode: "roll" } as const;

/** What somebody stored a moment ago, for slot a as it is now. */
function stored(change: Partial<ReadableLatest> = {}): ReadableLatest {
  const fresh = { version: three, first: false, createdAt: now - hour, expiresAt: now + 90 * day };
  return latest({ ...fresh, rotation: `r-${"c".repeat(26)}`, ...change });
}

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
