import type { Millis } from "../clock.ts";
import { formatDuration } from "./duration.ts";
import type { Defaults, SecretEntry } from "./schema.ts";

export interface Lifetime extends Omit<Defaults, "contentType"> {
  readonly contentType: string | undefined;
}

/** What holds for one secret: its own settings, else the defaults. */
export function lifetimeOf(entry: SecretEntry, defaults: Defaults): Lifetime {
  return {
    validity: entry.validity ?? defaults.validity,
    rotateBefore: entry.rotateBefore ?? defaults.rotateBefore,
    minInterval: entry.minInterval ?? defaults.minInterval,
    overlap: entry.overlap ?? defaults.overlap,
    attempts: entry.attempts ?? defaults.attempts,
    contentType: entry.contentType ?? defaults.contentType,
    retire: entry.retire ?? defaults.retire,
  };
}

/**
 * Key Vault announces a version 30 days before its expiry, fixed, and at once if it is created with less than that:
 * https://learn.microsoft.com/azure/event-grid/event-schema-key-vault
 */
const announcedBefore: Millis = 30 * 24 * 60 * 60 * 1000;

/** Why these settings would rotate without end, and what to set instead; `undefined` if they would not. */
export function rotationLoop({ validity, rotateBefore, minInterval, overlap }: Lifetime): string | undefined {
  const dueBefore = Math.max(announcedBefore, rotateBefore);
  const rest = Math.max(minInterval, 2 * overlap);
  if (validity - dueBefore >= rest) return undefined;
  const settled = overlap * 2 > minInterval ? `2 x overlap (${formatDuration(overlap)})` : "minInterval";
  return (
    `found a rotation loop: a version valid for ${formatDuration(validity)} is due again after ` +
    `${formatDuration(Math.max(0, validity - dueBefore))} (it is announced ${formatDuration(dueBefore)} before its expiry: ` +
    `the larger of rotateBefore and the 30d fixed by Key Vault), sooner than ${settled} = ${formatDuration(rest)}; ` +
    `expected validity of at least ${formatDuration(dueBefore + rest)}`
  );
}
