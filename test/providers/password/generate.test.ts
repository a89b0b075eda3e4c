import fc from "fast-check";
import { expect, test } from "vitest";
import {
  alphabets,
  cryptoRandomInt,
  defaultLength,
  entropyBits,
  randomText,
} from "../../../src/providers/password/generate.ts";

const { unreserved, alphanumeric, hex } = alphabets;

test("every character of the default alphabet is equally likely after the first place", () => {
  const draws = 200_000;
  const counts = new Map<string, number>();
  for (let drawn = 0; drawn < draws; drawn += 400) {
    const text = randomText(401, unreserved, cryptoRandomInt).reveal().slice(1);
    for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  const expected = draws / unreserved.length;
  const chiSquare = unreserved
    .split("")
    .reduce((sum, character) => sum + ((counts.get(character) ?? 0) - expected) ** 2 / expected, 0);
  // 65 degrees of freedom: above 140 once in ten million runs. `byte % 66` gives about 4,000.
  expect(chiSquare).toBeLessThan(140);
});

test("every letter is equally likely in the first place", () => {
  const draws = 20_000;
  const counts = new Map<string, number>();
  for (let index = 0; index < draws; index++) {
    const first = randomText(22, alphanumeric, cryptoRandomInt).reveal().charAt(0);
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  const expected = draws / 52;
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(counts.size).toBe(52);
  expect(chiSquare).toBeLessThan(120);
});

test("a text has the length asked for, only characters of its alphabet, and starts with a letter", () => {
  const alphabet = fc.constantFrom(unreserved, alphanumeric, hex, "01234567ABCDEFGH!#", "abcdefghijklmnop");
  fc.assert(
    fc.property(alphabet, fc.integer({ min: 40, max: 200 }), (characters, length) => {
      const text = randomText(length, characters, cryptoRandomInt).reveal();
      expect(text).toHaveLength(length);
      expect(text.split("").every((character) => characters.includes(character))).toBe(true);
      expect(text).toMatch(/^[A-Za-z]/);
    }),
    { numRuns: 2_000 },
  );
});

test("a text of the default alphabet needs no escaping in a URL", () => {
  for (let index = 0; index < 10_000; index++) {
    const text = randomText(defaultLength, unreserved, cryptoRandomInt).reveal();
    expect(new URL(`postgresql://user:${text}@host/db`).password).toBe(text);
    expect(encodeURIComponent(text)).toBe(text);
  }
});

test("an alphabet without letters starts with any of its characters", () => {
  expect(randomText(60, "0123456789", cryptoRandomInt).reveal()).toMatch(/^\d{60}$/);
});

test("less than 128 bits is refused, exactly at the border", () => {
  const shortest = Array.from({ length: 100 }, (_, index) => index + 1).find(
    (length) => entropyBits(length, unreserved) >= 128,
  );
  expect(shortest).toBe(22);
  expect(() => randomText(21, unreserved, cryptoRandomInt)).toThrow("below 128 bits");
  expect(randomText(22, unreserved, cryptoRandomInt).reveal()).toHaveLength(22);
  expect(() => randomText(1_000, "a", cryptoRandomInt)).toThrow("below 128 bits");
});

test("a character given twice is refused, since it would be drawn twice as often", () => {
  expect(() => randomText(100, "abca", cryptoRandomInt)).toThrow("twice");
});
