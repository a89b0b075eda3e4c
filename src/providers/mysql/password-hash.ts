import { createHash, hash } from "node:crypto";
import { SecretValue } from "../../secret-value.ts";
import { alphabets, cryptoRandomInt, type RandomInt, randomText } from "../password/generate.ts";

/**
 * What MariaDB and MySQL store for a password. It is sent instead of the plain text, because servers write statements to
 * their general, slow and audit logs. It is a secret too, if a lesser one: who has it can try passwords against it.
 */

/** `mysql_native_password`: SHA-1 of SHA-1, which MariaDB always has. It has no salt; 241 random bits need none. */
export function nativePasswordHash(password: SecretValue): SecretValue {
  const once = hash("sha1", password.reveal(), "buffer");
  return new SecretValue(`*${hash("sha1", once, "hex").toUpperCase()}`);
}

/** MySQL's own salts have this length, more than the 16 characters of Unix crypt. */
const saltLength = 20;

/**
 * `caching_sha2_password`, the default since MySQL 8.0 and the only one left in 9: `$A$005$` (SHA-256, 5 x 1000 rounds),
 * the salt, the digest of SHA-crypt (https://www.akkadia.org/drepper/SHA-crypt.txt).
 */
export function cachingSha2Hash(password: SecretValue, random: RandomInt = cryptoRandomInt): SecretValue {
  const salt = randomText(saltLength * 2, alphabets.alphanumeric, random)
    .reveal()
    .slice(0, saltLength);
  return new SecretValue(`$A$005$${salt}${shaCrypt(password.reveal(), Buffer.from(salt))}`);
}

/** SHA-crypt with SHA-256 and 5000 rounds; the steps are numbered as in its specification. @internal */
export function shaCrypt(password: string, salt: Buffer): string {
  const key = Buffer.from(password);
  const b = sha256([key, salt, key]); // 4-8
  const start = [key, salt, repeated(b, key.length)]; // 1-3, 9, 10
  for (let bits = key.length; bits > 0; bits >>= 1) start.push(bits & 1 ? b : key); // 11
  let a = sha256(start); // 12
  const p = repeated(sha256(Array<Buffer>(key.length).fill(key)), key.length); // 13-16
  const s = repeated(sha256(Array<Buffer>(16 + (a[0] ?? 0)).fill(salt)), salt.length); // 17-20
  for (let round = 0; round < 5000; round++) {
    const odd = round % 2 === 1; // 21
    a = sha256([odd ? p : a, ...(round % 3 ? [s] : []), ...(round % 7 ? [p] : []), odd ? a : p]);
  }
  return encoded(a); // 22
}

function sha256(parts: readonly Buffer[]): Buffer {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** The first `length` bytes of a block that is repeated without end. */
function repeated(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}

const digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Three bytes give four digits, lowest first; the bytes are taken in an order of their own. */
function encoded(digest: Buffer): string {
  const byte = (index: number) => digest[index] ?? 0;
  const groups = Array.from({ length: 10 }, (_, group) => {
    // 0 10 20, then 21 1 11, 12 22 2, 3 13 23 ...: each group is the one before, turned by one and moved by one.
    const [high = 0, middle = 0, low = 0] = [0, 10, 20].map((index) => (index + group * 21) % 30);
    return text((byte(high) << 16) | (byte(middle) << 8) | byte(low), 4);
  });
  return groups.join("") + text((byte(31) << 8) | byte(30), 3);
}

function text(bits: number, length: number): string {
  return Array.from({ length }, (_, index) => digits.charAt((bits >> (6 * index)) & 63)).join("");
}
