import ms from "ms";
import { z } from "zod";
import type { Millis } from "../clock.ts";

const expected =
  "expected a duration: a whole number and one of d, h, m, s, ms, such as 90d, 24h, 10m or 60s";

/** Stricter than `ms` itself, which also takes `1.5 yrs` and, worse, a bare number as milliseconds. */
const format = /^(?:0|[1-9]\d{0,11})(?:ms|s|m|h|d)$/;
const longest = "3650d";

/** `90d`, `24h`, `10m`, `60s` as the policy writes them, in milliseconds as the program uses them; 0 is allowed. */
export const Duration = durationFrom(0, "expected a duration");

/** A duration above zero. */
export const PositiveDuration = durationFrom(1, "expected a duration longer than zero");

/** The largest whole unit, as the policy would write it: `90d`, `36h`, `90s`. */
export function formatDuration(duration: Millis): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const length = toMillis(`1${unit}`);
    if (duration !== 0 && duration % length === 0) return `${duration / length}${unit}`;
  }
  return duration === 0 ? "0s" : `${duration}ms`;
}

function durationFrom(least: Millis, tooShort: string) {
  return z
    .string(expected)
    .regex(format, expected)
    .transform((text, context) => {
      const length = toMillis(text);
      if (length < least) context.addIssue({ code: "custom", message: tooShort });
      if (length > toMillis(longest))
        context.addIssue({ code: "custom", message: `expected at most ${longest}` });
      return length;
    });
}

function toMillis(text: string): Millis {
  if (!isDuration(text)) throw new RangeError(`not a duration: ${text}`);
  return ms(text);
}

function isDuration(text: string): text is ms.StringValue {
  return format.test(text);
}
