import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SecretValue } from "../../src/secret-value.ts";
import { createScrubber } from "../../src/telemetry/scrubber.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const canary = 'Pä"ss w/rd+%&~9\\x';

function scrubberFor(...values: string[]) {
  const scrubber = createScrubber({ clock: createVirtualClock() });
  for (const value of values) scrubber.learn(new SecretValue(value));
  return scrubber;
}

/** What libraries and servers make of a text before they print it. */
const encodings: Readonly<Record<string, (text: string) => string>> = {
  raw: (text) => text,
  JSON: (text) => JSON.stringify(text),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify(text)),
  "URL component": encodeURIComponent,
  URL: encodeURI,
  form: (text) => new URLSearchParams({ p: text }).toString(),
  hex: (text) => Buffer.from(text).toString("hex"),
  "hex in capitals": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  base64: (text) => Buffer.from(text).toString("base64"),
  base64url: (text) => Buffer.from(text).toString("base64url"),
  "base64 behind one byte": (text) => Buffer.from(`:${text}:`).toString("base64"),
  "base64 behind two bytes": (text) => Buffer.from(`u:${text}xy`).toString("base64"),
  "base64 behind three bytes": (text) => Buffer.from(`us:${text}z`).toString("base64"),
};

/** Longest run of characters that survives in the scrubbed text. */
function leaked(encoded: string, scrubbed: string, length: number): boolean {
  for (let at = 0; at + length <= encoded.length; at++)
    if (scrubbed.includes(encoded.slice(at, at + length))) return true;
  return false;
}

describe("scrubber", () => {
  it.each(Object.entries(encodings))("takes out a value that is written as %s", (_, encode) => {
    const encoded = encode(canary);
    const scrubbed = scrubberFor(canary).scrub(`before ${encoded} after`);
    expect(scrubbed).toMatch(/^before .*\[secret\].* after$/);
    expect(leaked(encoded, scrubbed, 8)).toBe(false);
  });

  it("takes out any value wherever it stands", () => {
    const texts = fc.string({ minLength: 12, maxLength: 60, unit: "grapheme-ascii" });
    const properties = fc.property(texts, fc.string(), fc.string(), (value, before, after) => {
      const scrubbed = scrubberFor(value).scrub(before + value + after);
      expect(scrubbed).not.toContain(value);
    });
    fc.assert(properties, { numRuns: 300 });
  });

  it("takes out every value of many, also side by side, and prefers the longest", () => {
    const values = ["first-value-1", "first-value-1-and-more", "second-value"];
    const scrubber = scrubberFor(...values);
    expect(scrubber.scrub("first-value-1-and-moresecond-value, first-value-1!")).toBe(
      "[secret][secret], [secret]!",
    );
  });

  it("leaves other texts as they are", () => {
    const scrubber = scrubberFor(canary);
    for (const text of ["", "short", "a line that says nothing of the sort"])
      expect(scrubber.scrub(text)).toBe(text);
  });

  it("does not learn what is too short to be a credential", () => {
    expect(scrubberFor("1234567", "").scrub("1234567 is a number")).toBe("1234567 is a number");
  });

  it("forgets a value that was not seen for long, and no other", async () => {
    const clock = createVirtualClock();
    const scrubber = createScrubber({ clock, maxAge: 1_000 });
    const [old, seen] = ["an-old-value", "a-value-still-in-use"];
    scrubber.learn(new SecretValue(old));
    scrubber.learn(new SecretValue(seen));
    await clock.advance(800);
    scrubber.learn(new SecretValue(seen));
    await clock.advance(800);
    scrubber.learn(new SecretValue("something-else"));
    expect(scrubber.scrub(`${old} ${seen}`)).toBe(`${old} [secret]`);
  });

  it("keeps the values seen last when there are too many", () => {
    const scrubber = createScrubber({ clock: createVirtualClock(), capacity: 2 });
    for (const value of ["value-number-2", "value-number-1", "value-number-2", "value-number-3"])
      scrubber.learn(new SecretValue(value));
    expect(scrubber.scrub("value-number-1 value-number-2 value-number-3")).toBe(
      "value-number-1 [secret] [secret]",
    );
  });
});
