import type { Policy } from "../../src/policy/policy.ts";
import { load, policyText, vaultId } from "../policy/fixtures.ts";

/** Names one vault, `prod-kv`, and the secrets `orders-db` and `Session-Key` in it. */
export const policy: Policy = load(
  policyText({
    secrets: `
  - { vault: prod-kv, name: orders-db, rotator: plain }
  - { vault: prod-kv, name: Session-Key, rotator: plain }
`,
  }),
);

export const version = "0123456789abcdef0123456789abcdef";

export function eventData(changes: object = {}): object {
  return {
    Id: `https://prod-kv.vault.azure.net/secrets/orders-db/${version}`,
    VaultName: "prod-kv",
    ObjectType: "Secret",
    ObjectName: "orders-db",
    Version: version,
    NBF: null,
    EXP: 1_770_000_000,
    ...changes,
  };
}

export function cloudEvent(changes: object = {}): object {
  return {
    id: "7e1f0f4a-9d8c-4d27-8f3f-4f0a2d0c1b11",
    source: vaultId("prod-kv"),
    specversion: "1.0",
    type: "Microsoft.KeyVault.SecretNearExpiry",
    subject: "orders-db",
    time: "2026-01-01T00:00:00Z",
    data: eventData(),
    ...changes,
  };
}

export function gridEvent(changes: object = {}): object {
  return {
    id: "7e1f0f4a-9d8c-4d27-8f3f-4f0a2d0c1b11",
    topic: vaultId("prod-kv"),
    subject: "orders-db",
    eventType: "Microsoft.KeyVault.SecretNearExpiry",
    eventTime: "2026-01-01T00:00:00Z",
    data: eventData(),
    dataVersion: "1",
    metadataVersion: "1",
    ...changes,
  };
}

export function bytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
