import { z } from "zod";
import { normaliseId } from "./resource-id.ts";

/** For rules over several keys: what cannot be read has been reported already. */
export const whenRead = { when: ({ issues }: z.core.ParsePayload) => issues.length === 0 };

/** An object that takes no key it does not know; the message lists those it does. */
export function section<T extends z.core.$ZodLooseShape>(shape: T) {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `expected one of ${known}`
        : `expected a map with the keys ${known}`,
  });
}

export function resourceId(fits: (text: string) => boolean, expected: string) {
  return z.string(expected).refine(fits, expected).transform(normaliseId);
}

export function count(low: number, high: number) {
  const expected = `expected a whole number from ${low} to ${high}`;
  return z.int(expected).min(low, expected).max(high, expected);
}

export function text(high: number) {
  const expected = `expected text of 1 to ${high} characters`;
  return z.string(expected).min(1, expected).max(high, expected);
}
