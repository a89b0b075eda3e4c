import { describe, expect, it } from "vitest";
import type { VaultEvent } from "../../src/intake/parse-event.ts";
import { toTrigger } from "../../src/intake/to-trigger.ts";
import { vaultId } from "../policy/fixtures.ts";
import { policy, version } from "./fixtures.ts";

function eventOf(changes: Partial<VaultEvent> = {}): VaultEvent {
  const name = changes.name ?? "orders-db";
  const type = "Microsoft.KeyVault.SecretNearExpiry";
  return {
    id: "e-1",
    type,
    vaultId: vaultId("prod-kv").toLowerCase(),
    name,
    version,
    subject: name,
    ...changes,
  };
}

describe("an event about a secret of the policy", () => {
  it.each([
    ["Microsoft.KeyVault.SecretNearExpiry", "near-expiry"],
    ["Microsoft.KeyVault.SecretExpired", "expired"],
    ["Microsoft.KeyVault.SecretNewVersionCreated", "new-version"],
  ] as const)("of type %s asks for a look as %s", (type, trigger) => {
    expect(toTrigger(eventOf({ type }), policy)).toEqual({
      enqueue: { vault: "prod-kv", name: "orders-db", version, trigger },
    });
  });

  it("is named as the policy writes it, since Key Vault ignores case", () => {
    expect(toTrigger(eventOf({ name: "SESSION-key" }), policy)).toMatchObject({
      enqueue: { name: "Session-Key" },
    });
  });
});

describe("an event that asks for nothing", () => {
  it.each([
    ["another secret of the vault", "billing-db", "secret-not-in-policy"],
    ["the place where our own candidate is parked", "orders-db--pending", "own-candidate"],
    ["the same in another case", "SESSION-KEY--Pending", "own-candidate"],
    ["somebody else's name with our suffix", "billing-db--pending", "secret-not-in-policy"],
    ["nothing but our suffix", "--pending", "secret-not-in-policy"],
  ])("is about %s", (_, name, ignore) => {
    expect(toTrigger(eventOf({ name }), policy)).toMatchObject({ ignore });
  });
});

it.each([
  ["of another resource group", vaultId("prod-kv").replace("security", "attacker").toLowerCase()],
  ["of another name", vaultId("prod-kv2").toLowerCase()],
  ["that only contains the id", `${vaultId("prod-kv").toLowerCase()}/secrets`],
])("a vault %s is a fault, as nobody should have subscribed it", (_, id) => {
  expect(toTrigger(eventOf({ vaultId: id }), policy)).toMatchObject({ code: "unknown-vault" });
});
