import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { rotationId } from "../../../src/rotation/record/rotation-id.ts";
import { vaultId } from "../../policy/fixtures.ts";

const vault = vaultId("prod-kv");
const [one, two] = ["a".repeat(32), "b".repeat(32)];

test("the id of a rotation is r- and 26 characters of base32, which a tag and a label of a provider can hold", () => {
  for (const version of [one, two, ""])
    expect(rotationId(vault, "orders-db", version)).toMatch(/^r-[a-z2-7]{26}$/);
});

test("the id follows from vault, name and version alone, so that workers of any version of keyturn compute the same", () => {
  const digest = createHash("sha256").update(`${vault.toLowerCase()}/orders-db/${one}`).digest();
  const bits = BigInt(`0x${digest.toString("hex")}`);
  const first = bits >> BigInt(256 - 26 * 5);
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const characters = Array.from(
    { length: 26 },
    (_, place) => alphabet[Number((first >> BigInt(5 * (25 - place))) & 31n)],
  );
  expect(rotationId(vault, "orders-db", one)).toBe(`r-${characters.join("")}`);
});

test("the id is the same whatever the case of the vault's id and of the secret's name", () => {
  expect(rotationId(vault.toUpperCase(), "Orders-DB", one)).toBe(rotationId(vault, "orders-db", one));
});

test("the replacements of two versions, two secrets or two vaults have different ids", () => {
  const ids = [
    rotationId(vault, "orders-db", one),
    rotationId(vault, "orders-db", two),
    rotationId(vault, "billing-db", one),
    rotationId(vaultId("other-kv"), "orders-db", one),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
