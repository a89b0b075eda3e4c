import { createHash } from "node:crypto";
import type { GroupId } from "../azure/container-instances.ts";
import type { Policy } from "../policy/policy.ts";
import type { Dependent, Reader } from "./dependents.ts";

/**
 * What is written down of a secret's gating groups at its publish, in the tag `keyturn-dependents`. Its text is
 * `<count> <digest of the ids> <digest of the policy's words>`, and only this file knows that.
 */
interface Fingerprint {
  readonly count: number;
  /** 32 hexadecimal digits. */
  readonly ids: string;
  /** 16 hexadecimal digits. */
  readonly words: string;
}

export function fingerprintOf(
  { dependents: named }: Pick<Reader, "dependents">,
  found: readonly Dependent[],
  { scopes }: Pick<Policy, "scopes">,
): string {
  const ids = found.filter(({ gate }) => gate).map(({ group }) => group.toLowerCase());
  return write({
    count: ids.length,
    ids: digestOf(ids.toSorted().join("\n")).slice(0, 32),
    words: digestOf(JSON.stringify([named, scopes])).slice(0, 16),
  });
}

/**
 * How many groups fewer there are now than were written down. A group that is gone from the policy is nobody's any more;
 * one that is gone although the policy still means it is odd.
 */
export function lostSince(recorded: string | undefined, now: string): number {
  const [before, after] = [read(recorded), read(now)];
  return before && after && before.words === after.words ? Math.max(0, before.count - after.count) : 0;
}

/** The fingerprint without one group that a person says is gone. */
export function withOneLess(recorded: string | undefined): string | undefined {
  const fingerprint = read(recorded);
  return fingerprint ? write({ ...fingerprint, count: Math.max(0, fingerprint.count - 1) }) : recorded;
}

/** Short name of a group that a person has confirmed, for a tag: 12 hexadecimal digits. */
export function waiverOf(group: GroupId): string {
  return digestOf(group.toLowerCase()).slice(0, 12);
}

function write({ count, ids, words }: Fingerprint): string {
  return `${count} ${ids} ${words}`;
}

/** A tag is a claim: what is malformed says nothing. */
function read(text: string | undefined): Fingerprint | undefined {
  const [, count, ids = "", words = ""] = /^(\d{1,6}) ([0-9a-f]{32}) ([0-9a-f]{16})$/.exec(text ?? "") ?? [];
  return count === undefined ? undefined : { count: Number(count), ids, words };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
