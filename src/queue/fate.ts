import { randomInt } from "node:crypto";
import type { Millis, Timestamp } from "../clock.ts";
import type { Fault } from "../errors.ts";

/**
 * What becomes of a job that ended with a fault. `retry`: tried again after a back-off; the only one that costs an attempt.
 * `requeue-after`: the same job, not before that time. `requeue`: at once, for another worker. `release`: somebody else has
 * the job by now. `dead-letter`: given up, and listed.
 */
export type Fate =
  | { readonly kind: "retry" }
  | { readonly kind: "requeue-after"; readonly at: Timestamp }
  | { readonly kind: "requeue" }
  | { readonly kind: "release" }
  | { readonly kind: "dead-letter" };

export interface Circumstances {
  readonly now: Timestamp;
  /** When the job could first have run. */
  readonly since: Timestamp;
  readonly attempt: number;
  readonly attempts: number;
  /** Why its signal was aborted, if it was. */
  readonly aborted: "stopping" | "lock-lost" | undefined;
}

/** How soon to look again at what passes by itself. */
const soon: Millis = 5000;

/** A job of a newer replica waits this long for one that can read it. */
export const newerJobWait: Millis = 30_000;

/** A newer replica may have queued a secret that our policy does not know yet: for so long we leave it to others. */
const policyGrace: Millis = 15 * 60_000;

export function fateOf(fault: Fault, { now, since, attempt, attempts, aborted }: Circumstances): Fate {
  if (fault.kind === "retriable") {
    // Somebody else has the job by now: whatever we did with it would be done to theirs.
    if (aborted === "lock-lost") return { kind: "release" };
    if (aborted === "stopping") return { kind: "requeue" };
  }
  const patient = waitFor(fault, now - since);
  if (patient !== undefined) return { kind: "requeue-after", at: now + patient };
  return fault.kind === "retriable" && fault.code !== "not-in-policy" && attempt < attempts
    ? { kind: "retry" }
    : { kind: "dead-letter" };
}

/** Waiting for others is no failure of ours. */
function waitFor(fault: Fault, age: Millis): Millis | undefined {
  if (fault.kind !== "retriable") return undefined;
  if (fault.code === "not-in-policy") return age < policyGrace ? newerJobWait : undefined;
  if (fault.retryAfter !== undefined) return Math.max(fault.retryAfter, 0);
  return fault.code === "lock-held" || fault.code === "propagation-pending" ? soon : undefined;
}

export interface Backoff {
  readonly first: Millis;
  readonly longest: Millis;
}

export const usualBackoff: Backoff = { first: 5000, longest: 5 * 60_000 };

/** Doubles with each attempt made; between half and all of it, so that jobs that failed together come back apart. */
export function backoffDelay(attemptsMade: number, { first, longest }: Backoff): Millis {
  const full = Math.min(first * 2 ** Math.max(attemptsMade - 1, 0), longest);
  return Math.ceil(full / 2) + randomInt(Math.floor(full / 2) + 1);
}
