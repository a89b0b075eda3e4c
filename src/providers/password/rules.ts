import { z } from "zod";
import { alphabets, defaultLength, entropyBits, leastBits } from "./generate.ts";

const Alphabet = z
  .string()
  .regex(/^[\x21-\x7e]{2,}$/, "unreserved, alphanumeric, hex, or the characters themselves (printable ASCII)")
  .refine((text) => isNamed(text) || new Set(text).size === text.length, "a character is given twice");

/** Fields of a target that say what its values look like. The target is refined by `isLongEnough`, too. */
export const passwordRules = {
  length: z.int().min(1).max(4096).default(defaultLength),
  alphabet: Alphabet.default("unreserved"),
};

interface PasswordRules {
  readonly length: number;
  readonly alphabet: string;
}

export const tooShort = { error: `length and alphabet give fewer than ${leastBits} bits; make it longer` };

export function isLongEnough({ length, alphabet }: PasswordRules): boolean {
  return entropyBits(length, charactersOf(alphabet)) >= leastBits;
}

/** What a rule's alphabet stands for: a name of ours, or the characters themselves. */
export function charactersOf(alphabet: string): string {
  return isNamed(alphabet) ? alphabets[alphabet] : alphabet;
}

function isNamed(alphabet: string): alphabet is keyof typeof alphabets {
  return Object.hasOwn(alphabets, alphabet);
}
