import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import { confirmed, dual, latest, published, roll, seen, stored, works } from "./facts.ts";
import { day } from "./rules.ts";

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
