import type { SecretRules } from "../../../src/rotation/model/action.ts";
import type { BoundRotator } from "../../../src/rotators/rotator.ts";
import { SecretValue } from "../../../src/secret-value.ts";

export const hour = 3_600_000;
export const day = 24 * hour;

/** A rotator on a target without a system behind it, for tests of decisions and texts. */
export function aRotator(change: Partial<BoundRotator> = {}): BoundRotator {
  const slots = change.slots ?? ["orders_a", "orders_b"];
  return {
    id: "test",
    origin: "chosen",
    propagation: 60_000,
    overlap: slots.length === 1 ? "single" : "dual",
    slots,
    owns: slots,
    template: "{password}",
    fields: (credentialId) => ({
      username: credentialId,
      host: "db.example.org",
      port: "5432",
      database: "orders",
    }),
    choose: (slot) => ({ id: slot, value: new SecretValue("chosen") }),
    observe: async () => ({ exists: slots, accepts: [] }),
    apply: async () => {},
    mint: async ({ slot }) => ({ id: slot, value: new SecretValue("minted") }),
    verify: async () => {},
    revoke: async () => {},
    ...change,
  };
}

/** The rules of a secret with the defaults of the policy file. */
export function aRule(rotator: Partial<BoundRotator> = {}): SecretRules {
  return {
    key: "prod-kv/orders-db",
    rotator: aRotator(rotator),
    validity: 90 * day,
    rotateBefore: 30 * day,
    minInterval: day,
    overlap: day,
    retire: true,
    deadline: 600_000,
  };
}
