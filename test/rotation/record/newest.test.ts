import { expect, test } from "vitest";
import { Fault } from "../../../src/errors.ts";
import { newestIn, newestOf, readable } from "../../../src/rotation/record/newest.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { vaultInMemory } from "../../azure/vault-in-memory.ts";

const { signal } = new AbortController();

function version(id: string, createdAt: number, enabled = true) {
  return { name: "orders-db", version: id.repeat(32), enabled, createdAt, tags: {} };
}

test("the newest version is found in any order of the list", () => {
  const [old, middle, fresh] = [version("a", 1_000), version("b", 2_000), version("c", 3_000)];
  expect(newestIn([middle, fresh, old])).toBe(fresh);
  expect(newestIn([fresh, old, middle])).toBe(fresh);
});

test("a disabled version is the newest like any other", () => {
  const disabled = version("b", 2_000, false);
  expect(newestIn([version("a", 1_000), disabled])).toBe(disabled);
});

test("which of two versions of one second is the newest cannot be told, unless a later one follows", () => {
  const twins = [version("a", 2_000), version("b", 2_000)];
  expect(newestIn(twins)).toBeUndefined();
  const later = version("c", 3_000);
  expect(newestIn([...twins, later])).toBe(later);
});

test("of no versions none is the newest, and the only one is", () => {
  expect(newestIn([])).toBeUndefined();
  const only = version("a", 1_000);
  expect(newestIn([only])).toBe(only);
});

test("a version that somebody has disabled is a fact, and whatever else fails is thrown on", async () => {
  const disabled = Promise.reject(new Fault("secret-disabled", "disabled"));
  expect(await readable(disabled)).toEqual({ stored: undefined, disabled: true });
  expect(await readable(Promise.resolve(undefined))).toEqual({ stored: undefined, disabled: false });
  const down = Promise.reject(new Fault("unavailable", "down"));
  await expect(readable(down)).rejects.toMatchObject({ code: "unavailable" });
});

test("the newest version of a secret in Key Vault is found also when it is disabled", async () => {
  const { vault, state } = await vaultInMemory();
  expect(await newestOf("orders-db", vault, signal)).toBeUndefined();
  await vault.publish("orders-db", { value: new SecretValue("one"), tags: {} }, signal);
  const two = await vault.publish("orders-db", { value: new SecretValue("two"), tags: {} }, signal);
  expect(await newestOf("orders-db", vault, signal)).toMatchObject({ version: two.version, enabled: true });
  await vault.update("orders-db", two.version, { enabled: false }, signal);
  const versions = state.vaults.get("prod-kv")?.secrets.get("orders-db")?.versions ?? [];
  const createdAt = (...seconds: number[]) =>
    versions.splice(0, 2, ...versions.map((each, place) => ({ ...each, created: seconds[place] ?? 0 })));
  createdAt(1_000_000, 1_000_060);
  expect(await newestOf("orders-db", vault, signal)).toMatchObject({ version: two.version, enabled: false });
  createdAt(1_000_060, 1_000_060);
  expect(await newestOf("orders-db", vault, signal)).toBeUndefined();
});
