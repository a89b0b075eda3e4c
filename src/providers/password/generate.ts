import { randomInt } from "node:crypto";
import { Fault } from "../../errors.ts";
import { SecretValue } from "../../secret-value.ts";

/** A whole number from 0 up to but excluding `below`, evenly distributed. */
export type RandomInt = (below: number) => number;

/** From the operating system's generator, without the bias of `byte % below`. */
export const cryptoRandomInt: RandomInt = (below) => randomInt(below);

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";

/**
 * The default holds what RFC 3986 calls unreserved: no character of it needs escaping in a URL, a connection string, a
 * shell, JSON or YAML.
 */
export const alphabets = {
  unreserved: `${letters}${digits}-_.~`,
  alphanumeric: `${letters}${digits}`,
  hex: `${digits}abcdef`,
} as const;

/** Fewer bits than this are refused: 128 cannot be searched. */
export const leastBits = 128;

/** 241 bits in the default alphabet. */
export const defaultLength = 40;

/** Bits of entropy of `randomText`. */
export function entropyBits(length: number, alphabet: string): number {
  if (length < 1 || alphabet.length < 2) return 0;
  return Math.log2(firstOf(alphabet).length) + (length - 1) * Math.log2(alphabet.length);
}

/**
 * Independent draws from `alphabet`, the first one a letter if it has letters, since many systems want that of an
 * identifier or cut leading punctuation. @throws Fault `invalid-policy` below 128 bits or for a character given twice
 */
export function randomText(length: number, alphabet: string, random: RandomInt): SecretValue {
  if (new Set(alphabet).size !== alphabet.length)
    throw new Fault("invalid-policy", "an alphabet must not hold a character twice");
  if (entropyBits(length, alphabet) < leastBits)
    throw new Fault(
      "invalid-policy",
      `${length} of ${alphabet.length} characters are below ${leastBits} bits`,
    );
  const rest = Array.from({ length: length - 1 }, () => draw(alphabet, random));
  return new SecretValue([draw(firstOf(alphabet), random), ...rest].join(""));
}

function firstOf(alphabet: string): string {
  return alphabet.replaceAll(/[^A-Za-z]/g, "") || alphabet;
}

function draw(alphabet: string, random: RandomInt): string {
  return alphabet.charAt(random(alphabet.length));
}
