import { expect, test } from "vitest";
import { findSecret, findSecretByKey, findVaultById, isInScope } from "../../src/policy/lookup.ts";
import { apps, groupId, load, policyText, subscription, vaultId } from "./fixtures.ts";

const policy = load(
  policyText({
    head: `self: ${groupId("keyturn")}`,
    secrets: `
  - vault: prod-kv
    name: Orders
    rotator: plain
    dependents:
      - group: ${groupId("Orders-API")}
      - discover: { tag: reads }
  - { vault: prod-kv, name: other, rotator: plain }`,
  }),
);

test("a secret is found by vault and name in any case", () => {
  expect(findSecret(policy, "PROD-KV", "orders")?.key).toBe("prod-kv/Orders");
  expect(findSecretByKey(policy, "prod-kv/ORDERS")?.key).toBe("prod-kv/Orders");
  expect(findSecret(policy, "prod-kv", "order")).toBeUndefined();
  expect(findSecret(policy, "test-kv", "orders")).toBeUndefined();
});

test("a vault is found by the id that Event Grid sends, in any case", () => {
  expect(findVaultById(policy, vaultId("PROD-kv"))?.name).toBe("prod-kv");
  expect(findVaultById(policy, vaultId("prod-kv2"))).toBeUndefined();
});

test.each([
  ["a group in a scope", groupId("any"), true],
  ["a group in a scope, in other case", groupId("any").toUpperCase(), true],
  ["our own group", groupId("KEYTURN"), false],
  ["a group beside the scope", groupId("any", `${apps}-2`), false],
  ["a group of another subscription", groupId("any", `${subscription}2/resourceGroups/apps`), false],
  ["something else in a scope", `${apps}/providers/Microsoft.Compute/virtualMachines/any`, false],
  ["the scope itself", apps, false],
  ["a path out of the scope", `${apps}/providers/Microsoft.ContainerInstance/containerGroups/../x`, false],
])("whether it may be touched: %s", (_, id, allowed) => {
  expect(isInScope(policy, id)).toBe(allowed);
});
