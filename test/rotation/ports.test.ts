import { expect, test } from "vitest";
import {
  labelOf,
  pendingName,
  type RotationPorts,
  rotatorContext,
  vaultOf,
} from "../../src/rotation/ports.ts";
import type { Policy, SecretPolicy } from "../../src/policy/policy.ts";
import { publishedWorld } from "../rollout/published.ts";

const { signal } = new AbortController();

function secretOf({ secrets: [secret] }: Policy): SecretPolicy {
  if (!secret) throw new Error("the policy has no secret");
  return secret;
}

const ports: RotationPorts = publishedWorld(
  "\n  - { vault: prod-kv, name: orders-db, rotator: plain }",
).ports;
const secret = secretOf(ports.policy);

test("a candidate waits in a secret beside its own, whose name Key Vault allows", () => {
  expect(pendingName("orders-db")).toBe("orders-db--pending");
  expect(pendingName("orders-db")).toMatch(/^[0-9a-zA-Z-]{1,127}$/);
});

test("keyturn's names at a provider begin with its own and the secret's", () => {
  expect(labelOf(secret)).toBe("keyturn:prod-kv/orders-db");
});

test("a rotator gets the systems, the time of the call, and a way to be stopped", () => {
  const context = rotatorContext(ports, signal);
  expect(context.providers).toBe(ports.providers);
  expect(context).toMatchObject({ now: ports.clock.now(), signal });
  expect(context).not.toHaveProperty("label");
});

test("a secret is reached in its own vault", () => {
  expect(vaultOf(secret, ports.vaults)).toBe(ports.vaults.get("prod-kv"));
  const other = { ...secret, vault: { ...secret.vault, name: "other-kv" } };
  expect(vaultOf(other, ports.vaults)).toBe(ports.vaults.get("other-kv"));
});

test("a vault that the policy does not have is not reached: the fault names it and the secret", () => {
  const elsewhere = { ...secret, vault: { ...secret.vault, name: "elsewhere" } };
  expect(() => vaultOf(elsewhere, ports.vaults)).toThrow(
    expect.objectContaining({
      code: "unknown-vault",
      secret: "prod-kv/orders-db",
      message: expect.stringContaining("elsewhere"),
    }),
  );
});
