import { expect, test } from "vitest";
import { isWithin, parseResourceId } from "../../src/policy/resource-id.ts";
import { apps, groupId, subscription, vaultId } from "./fixtures.ts";

test("an id is taken apart and lower-cased", () => {
  expect(parseResourceId(groupId("Orders-API"))).toEqual({
    id: groupId("orders-api").toLowerCase(),
    subscription: subscription.slice("/subscriptions/".length),
    resourceGroup: "apps",
    type: "microsoft.containerinstance/containergroups",
    name: "orders-api",
  });
  expect(parseResourceId(vaultId("prod-kv"))?.type).toBe("microsoft.keyvault/vaults");
});

test("a subscription and a resource group are ids too, with or without slash at the end", () => {
  expect(parseResourceId(`${subscription}/`)).toMatchObject({ id: subscription, type: undefined });
  expect(parseResourceId(`${apps}/`)).toMatchObject({ id: apps.toLowerCase(), resourceGroup: "apps" });
});

test.each([
  "",
  "/",
  "subscriptions/x",
  "/subscriptions/",
  "/subscriptions/<s>/resourceGroups/apps",
  `${subscription}/resourceGroups/..`,
  `${subscription}/resourceGroups/apps/..`,
  `${subscription}/resourceGroups/apps%2f..`,
  `${subscription}//resourceGroups/apps`,
  `${apps}/providers/Microsoft.ContainerInstance`,
  `${groupId("x")}/restart`,
  `${groupId("x")}?api-version=1`,
  `${groupId("x")}\n`,
  groupId("a/b"),
  groupId(".."),
])("%j is not an id", (text) => {
  expect(parseResourceId(text)).toBeUndefined();
});

test("a name that starts alike does not lie within", () => {
  expect(isWithin(groupId("x"), apps)).toBe(true);
  expect(isWithin(groupId("x"), `${apps.toUpperCase()}/`)).toBe(true);
  expect(isWithin(groupId("x"), subscription)).toBe(true);
  expect(isWithin(groupId("x", `${apps}-2`), apps)).toBe(false);
  expect(isWithin(subscription, apps)).toBe(false);
});
