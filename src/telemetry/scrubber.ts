import type { Clock, Millis, Timestamp } from "../clock.ts";
import type { SecretValue } from "../secret-value.ts";

/** The last net under logs and spans: it knows the values that are alive and takes them out of any text. */
export interface Scrubber {
  /** Remembers a value for a while. Texts too short to be told from ordinary words are left out. */
  readonly learn: (value: SecretValue) => void;
  /** The text with every known value, in any of its usual encodings, replaced by `[secret]`. */
  readonly scrub: (text: string) => string;
}

export interface ScrubberOptions {
  readonly clock: Clock;
  /** Values kept; the oldest goes first. Default 5000: 500 secrets with their versions and candidates. */
  readonly capacity?: number;
  /** How long a value is kept after it was last seen. Default one day. */
  readonly maxAge?: Millis;
}

/** Shorter texts are no credential, and replacing them would garble everything else. */
const shortest = 8;
const mask = "[secret]";

interface Entry {
  readonly forms: readonly string[];
  seenAt: Timestamp;
}

/**
 * Forms are found by their first eight characters, so that the price of a text depends on its length and not on the
 * number of values.
 */
export function createScrubber({ clock, capacity = 5_000, maxAge = 86_400_000 }: ScrubberOptions): Scrubber {
  const entries = new Map<string, Entry>();
  const byStart = new Map<string, Set<string>>();

  function add(text: string): void {
    const entry = { forms: formsOf(text), seenAt: clock.now() };
    entries.set(text, entry);
    for (const form of entry.forms) {
      const start = form.slice(0, shortest);
      byStart.set(start, (byStart.get(start) ?? new Set()).add(form));
    }
  }

  function forget(text: string, entry: Entry): void {
    entries.delete(text);
    for (const form of entry.forms) {
      const start = form.slice(0, shortest);
      byStart.get(start)?.delete(form);
      if (byStart.get(start)?.size === 0) byStart.delete(start);
    }
  }

  /** The map is in the order of the last sighting. */
  function forgetOld(): void {
    for (const [text, entry] of entries) {
      if (entries.size <= capacity && clock.now() - entry.seenAt <= maxAge) return;
      forget(text, entry);
    }
  }

  return {
    learn(value) {
      const text = value.reveal();
      if (text.length < shortest) return;
      const known = entries.get(text);
      if (known) {
        known.seenAt = clock.now();
        entries.delete(text);
        entries.set(text, known);
      } else add(text);
      forgetOld();
    },
    scrub: (text) => replaceKnown(text, byStart),
  };
}

function replaceKnown(text: string, byStart: ReadonlyMap<string, ReadonlySet<string>>): string {
  let clean = "";
  let from = 0;
  for (let at = 0; at + shortest <= text.length; at++) {
    const found = longestAt(text, at, byStart.get(text.slice(at, at + shortest)));
    if (found === 0) continue;
    clean += text.slice(from, at) + mask;
    from = at + found;
    at = from - 1;
  }
  return from === 0 ? text : clean + text.slice(from);
}

function longestAt(text: string, at: number, forms: ReadonlySet<string> | undefined): number {
  let longest = 0;
  for (const form of forms ?? [])
    if (form.length > longest && text.startsWith(form, at)) longest = form.length;
  return longest;
}

/** How a text looks after the encodings that libraries and servers put on it. */
function formsOf(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const bytes = Buffer.from(text);
  const forms = [
    text,
    json,
    JSON.stringify(json).slice(1, -1),
    encodeURI(text.toWellFormed()),
    encodeURIComponent(text.toWellFormed()),
    new URLSearchParams([["", text]]).toString().slice(1),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    ...base64Forms(bytes),
  ];
  return [...new Set(forms)].filter((form) => form.length >= shortest);
}

/**
 * In the middle of a longer text, base64 groups bytes in one of three ways. The characters at both ends also hold bits
 * of the neighbours and are left out.
 */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const whole = padded.toString("base64").replaceAll("=", "");
    const start = offset === 0 ? 0 : offset + 1;
    const end = padded.length % 3 === 0 ? whole.length : whole.length - 1;
    const middle = whole.slice(start, end);
    return [middle, middle.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
