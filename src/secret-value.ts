import { createHash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

/**
 * The only holder of a credential's text. It prints as `[secret]` in every way Node has of turning an object into
 * text: template strings, JSON, `console.log`, `util.inspect`, `structuredClone` (which sees an empty object).
 * A JavaScript string cannot be wiped from memory, so this guards against leaks, not against memory dumps.
 */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Only adapters and rotators call this, at the moment they hand it to its system. */
  reveal(): string {
    return this.#text;
  }

  /** Compares in time that does not depend on where the texts differ. */
  equals(other: SecretValue): boolean {
    return timingSafeEqual(digest(this.#text), digest(other.#text));
  }

  get isEmpty(): boolean {
    return this.#text.length === 0;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}

/** Texts of different length cannot be compared in constant time; their digests can. Never stored, never printed. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
