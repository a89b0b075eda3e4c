import { z } from "zod";
import { charactersOf, isLongEnough, passwordRules, tooShort } from "../providers/password/rules.ts";
import { randomText } from "../providers/password/generate.ts";
import { SecretValue } from "../secret-value.ts";
import { defineRotator } from "./rotator.ts";

const Target = z
  .strictObject({
    ...passwordRules,
    /** Put in front as it is, so that secret scanners know it. */
    prefix: z
      .string()
      .regex(/^[\x21-\x7e]{0,64}$/)
      .default(""),
  })
  .refine(isLongEnough, tooShort);

/**
 * A value that no provider checks: a signing key, an API key that the dependents themselves compare. Keyturn publishes
 * it and restarts the dependents; nobody can be asked whether it works, and nobody can be told to refuse the old one.
 * So every known value counts as accepted, and applying, verifying and revoking have nothing to do: the old value is
 * dead when its version is disabled and no dependent holds it any more.
 */
export const random = defineRotator({
  id: "random",
  summary: "a random text that no provider checks, such as a signing key",
  origin: "chosen",
  target: Target,
  propagation: 0,
  roles: [],
  template: "{password}",
  overlap: () => "dual",
  slots: () => [],
  owns: () => [],
  fields: () => ({}),
  choose: ({ length, alphabet, prefix }, slot, randomInt) => {
    const text = randomText(length, charactersOf(alphabet), randomInt);
    return { id: slot, value: new SecretValue(prefix + text.reveal()) };
  },
  observe: async (_target, known) => ({
    exists: known.map(({ id }) => id),
    accepts: known.map(() => "accepted"),
  }),
  apply: async () => {},
  verify: async () => {},
  revoke: async () => {},
});
