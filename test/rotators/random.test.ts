import { expect, test } from "vitest";
import { cryptoRandomInt } from "../../src/providers/password/generate.ts";
import { random } from "../../src/rotators/random.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { describeRotator } from "../support/describe-rotator.ts";
import { providersWith } from "../support/providers.ts";

const providers = providersWith({});

describeRotator("random", {
  rotator: random,
  target: async () => ({}),
  providers: () => providers,
  unchecked: "no provider checks a random text",
  written: async () => "",
});

test("the value has the length, alphabet and prefix of the target; the prefix does not count", () => {
  expect(choose({})).toMatch(/^[A-Za-z][A-Za-z0-9_.~-]{39}$/);
  expect(choose({ length: 64, alphabet: "hex", prefix: "sk_live_" })).toMatch(/^sk_live_[a-f][0-9a-f]{63}$/);
  expect(choose({ length: 200, alphabet: "+/" })).toMatch(/^[+/]{200}$/);
});

function choose(target: object): string {
  return random.on(target).choose("", cryptoRandomInt).value.reveal();
}

test.each([
  [{ length: 21 }, "fewer than 128 bits"],
  [{ length: 32, alphabet: "hex" }, "fewer than 128 bits"],
  [{ alphabet: "aab" }, "given twice"],
  [{ alphabet: "a b" }, "printable ASCII"],
  [{ prefix: "line\nbreak" }, "prefix"],
  [{ length: "40" }, "number"],
])("the target %j is refused: %s", (target, reason) => {
  expect(() => random.on(target)).toThrow(reason);
});

test("every known value counts as accepted, since nobody can be asked", async () => {
  const known = ["one", "two"].map((text) => ({ id: "", value: new SecretValue(text) }));
  const sighting = await random
    .on({})
    .observe(known, { providers, now: Date.now(), signal: new AbortController().signal });
  expect(sighting.accepts).toEqual(["accepted", "accepted"]);
});
