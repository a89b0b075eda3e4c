import type { Observation, ProviderFacts, ReadableLatest } from "../../../src/rotation/model/observation.ts";
import { aRule, day, hour } from "./rules.ts";

export const now = Date.UTC(2026, 10, 21);
export const [one, two] = ["a".repeat(32), "b".repeat(32)];
export const rotation = `r-${"a".repeat(26)}`;

export function latest(change: Partial<ReadableLatest> = {}): ReadableLatest {
  return {
    kind: "readable",
    lineage: "foreign",
    first: true,
    rotation,
    restored: undefined,
    version: one,
    enabled: true,
    createdAt: now - 60 * day,
    expiresAt: now + 29 * day,
    record: {},
    credentialId: "orders_a",
    ...change,
  };
}

export function seen(change: Partial<Observation> = {}): Observation {
  const nothing = { request: undefined, replaced: undefined, provider: undefined, dependents: undefined };
  return { now, latest: latest(), pending: { kind: "none" }, derived: [], ...nothing, ...change };
}

export const works: ProviderFacts = {
  latest: "accepted",
  pending: "rejected",
  replaced: "unknown",
  missing: [],
  orphans: [],
};
export const intent = { mode: "routine", requestId: "q", at: now } as const;
export const parked = {
  kind: "parked",
  version: two,
  rotation,
  credentialId: "orders_b",
  equalsLatest: false,
  createdAt: now - hour,
  rejections: 0,
} as const;
export const published = latest({
  lineage: "ours",
  first: false,
  version: two,
  createdAt: now - hour,
  expiresAt: now + 90 * day,
  record: { rotation, from: one, state: "published" },
  credentialId: "orders_b",
});
export const replaced = { ...latest(), kind: undefined };
export const confirmed = { unconfirmed: [], confirmed: 2 };
export const dual = aRule({ slots: ["orders_a", "orders_b"] });

export const three = "c".repeat(32);

export const roll = { ...intent, mode: "roll" } as const;

/** What somebody stored a moment ago, for slot a as it is now. */
export function stored(change: Partial<ReadableLatest> = {}): ReadableLatest {
  const fresh = { version: three, first: false, createdAt: now - hour, expiresAt: now + 90 * day };
  return latest({ ...fresh, rotation: `r-${"c".repeat(26)}`, ...change });
}
