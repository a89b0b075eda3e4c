import { expect, test } from "vitest";
import { credentialName, namePrefix } from "../../src/providers/labels.ts";

const rotation = `r-${"a".repeat(26)}`;

test("a name tells vault, secret, rotation and attempt, and no two attempts share one", () => {
  const names = Array.from({ length: 20 }, () => credentialName(`keyturn:prod-kv/orders:${rotation}`, 90));
  expect(names[0]).toMatch(new RegExp(`^keyturn:prod-kv/orders:${rotation}:[0-9a-f]{6}$`));
  expect(new Set(names).size).toBe(20);
});

test("the longest vault and secret fit, and the name still begins with their prefix", () => {
  const label = `keyturn:${"v".repeat(24)}/${"n".repeat(118)}`;
  const name = credentialName(`${label}:${rotation}`, 90);
  expect(name).toHaveLength(90);
  expect(name.startsWith(namePrefix(label, 90))).toBe(true);
  expect(name).toContain(`:${rotation}:`);
});

test("names that are cut at the same place keep different prefixes, and no prefix begins another one", () => {
  const long = "n".repeat(60);
  const labels = [`keyturn:kv/${long}`, `keyturn:kv/${long}n`, "keyturn:kv/orders", "keyturn:kv/orders-db"];
  const prefixes = labels.map((label) => namePrefix(label, 90));
  for (const one of prefixes) expect(prefixes.filter((other) => other.startsWith(one))).toEqual([one]);
});

test("the case in which the policy writes a name does not matter", () => {
  expect(namePrefix("keyturn:Prod-KV/Orders", 90)).toBe(namePrefix(`keyturn:prod-kv/orders:${rotation}`, 90));
});
