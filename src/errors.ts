import type { Millis } from "./clock.ts";

/**
 * What a fault means for the work at hand: `retriable` is tried again with back-off, `terminal` ends this
 * attempt for good, `needs-human` stops the rotation until somebody has answered its question.
 */
export type FaultKind = "retriable" | "terminal" | "needs-human";

/**
 * Every fault has a code from this table; docs/operate.md lists the same codes with what to do about each (a test compares
 * the two). A code, never a message, crosses a boundary: job results, dead-letter reasons, spans, tags.
 */
export const faultCodes = {
  // A service or a provider is down, slow or busy.
  unavailable: "retriable",
  throttled: "retriable",
  "lock-held": "retriable",
  "propagation-pending": "retriable",
  "not-in-policy": "retriable",
  cancelled: "retriable",
  superseded: "retriable",
  // A service or a provider said no, or what we were given cannot be used.
  unauthenticated: "terminal",
  forbidden: "terminal",
  "not-found": "terminal",
  conflict: "terminal",
  "invalid-config": "terminal",
  "invalid-policy": "terminal",
  "invalid-job": "terminal",
  "not-supported": "terminal",
  "credential-rejected": "terminal",
  "restart-failed": "terminal",
  "unexpected-response": "terminal",
  // Messages that intake dead-letters.
  "message-too-large": "terminal",
  "message-not-json": "terminal",
  "message-invalid": "terminal",
  "unknown-event-type": "terminal",
  "unknown-vault": "terminal",
  // Somebody has to decide.
  "secret-missing": "needs-human",
  "secret-disabled": "needs-human",
  "cannot-adopt": "needs-human",
  "target-missing": "needs-human",
  "foreign-version": "needs-human",
  "slot-unknown": "needs-human",
  "cannot-roll-back": "needs-human",
  "dependents-missing": "needs-human",
  "too-many-credentials": "needs-human",
  "too-many-tags": "needs-human",
  quarantined: "needs-human",
  "internal-error": "retriable",
} as const satisfies Record<string, FaultKind>;

export type FaultCode = keyof typeof faultCodes;

export function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(faultCodes, code);
}

export interface FaultOptions {
  cause?: unknown;
  /** The service's `Retry-After`, in milliseconds. */
  retryAfter?: Millis;
  /** `vault/name` of the secret it happened to. */
  secret?: string;
}

/**
 * The one error of the project: what happened, to which secret, what to do next. Its message never holds a secret
 * value; text from other systems is put in only by an adapter that knows it to be free of values.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly kind: FaultKind;
  readonly retryAfter: Millis | undefined;
  readonly secret: string | undefined;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = faultCodes[code];
    this.retryAfter = options.retryAfter;
    this.secret = options.secret;
  }
}

/** Whether `error` is a fault, and if `codes` are given, one of those. */
export function isFault(error: unknown, ...codes: FaultCode[]): error is Fault {
  return error instanceof Fault && (codes.length === 0 || codes.includes(error.code));
}

/** Anything thrown, as a fault. What is not one already is our bug or a library's: `internal-error`, without its text. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new Fault("internal-error", `unexpected ${name}`, { cause: error });
}
