import { expect, test } from "vitest";
import { cachingSha2Hash, nativePasswordHash, shaCrypt } from "../../../src/providers/mysql/password-hash.ts";
import { cryptoRandomInt } from "../../../src/providers/password/generate.ts";
import { SecretValue } from "../../../src/secret-value.ts";

test.each([
  // openssl passwd -5 -salt saltstring 'Hello world!'
  ["Hello world!", Buffer.from("saltstring"), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"],
  [
    "it is a much longer password than thirty-two bytes",
    Buffer.from("0123456789abcdef"),
    ".Jpah59SDAV4DOKKyX6FgpSkfILUA/uqea.FTpYwxD/",
  ],
  // A real account of MySQL 8 with its 20 bytes of salt, https://hashcat.net/wiki/doku.php?id=example_hashes (7401)
  [
    "hashcat",
    Buffer.from("F9CC98CE08892924F50A213B6BC571A2C11778C5", "hex"),
    "bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/",
  ],
])("SHA-crypt of %s is what others compute", (password, salt, digest) => {
  expect(shaCrypt(password, salt)).toBe(digest);
});

test("a native hash is what MySQL's PASSWORD() gave", () => {
  // https://dev.mysql.com/doc/refman/5.7/en/password-hashing.html
  expect(nativePasswordHash(new SecretValue("mypass")).reveal()).toBe(
    "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4",
  );
});

test("a caching hash has a fresh salt of 20 characters that needs no escaping, and MySQL's length", () => {
  const password = new SecretValue("some-password");
  const [one, other] = [cachingSha2Hash(password), cachingSha2Hash(password, cryptoRandomInt)];
  for (const text of [one.reveal(), other.reveal()])
    expect(text).toMatch(/^\$A\$005\$[A-Za-z0-9]{20}[A-Za-z0-9./]{43}$/);
  expect(one.equals(other)).toBe(false);
});
