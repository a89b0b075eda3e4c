import { createHash, randomBytes } from "node:crypto";

/** `r-` and 26 characters: see src/rotation/rotation-id.ts. */
const rotationLength = 28;
const attemptBytes = 3;

/**
 * What the names of one secret's credentials begin with at a provider that shows names of at most `limit` characters:
 * `keyturn:<vault>/<name>:`. A longer `<vault>/<name>` is cut, and ends in `~` and a digest of the whole: `~` is in no
 * name of Key Vault, so that two secrets never share a beginning.
 * @param label `keyturn:<vault>/<name>`, or that with a rotation behind it
 */
export function namePrefix(label: string, limit: number): string {
  const [mark = "", owner = ""] = label.toLowerCase().split(":");
  const room = limit - `${mark}:::`.length - rotationLength - 2 * attemptBytes;
  if (owner.length <= room) return `${mark}:${owner}:`;
  const digest = createHash("sha256").update(owner).digest("hex").slice(0, 10);
  return `${mark}:${owner.slice(0, room - digest.length - 1)}~${digest}:`;
}

/** A name for one credential that tells who made it, in which rotation, and in which of its attempts. */
export function credentialName(label: string, limit: number): string {
  const rotation = label.split(":")[2] ?? "";
  return `${namePrefix(label, limit)}${rotation}:${randomBytes(attemptBytes).toString("hex")}`;
}
