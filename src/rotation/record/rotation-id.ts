import { createHash } from "node:crypto";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * Names the replacement of one version of one secret: `r-` and the first 26 characters of
 * base32(sha256(vault id/name/version)). Everybody who looks at the same version computes the same id.
 */
export function rotationId(vaultId: string, name: string, version: string): string {
  const digest = createHash("sha256")
    .update(`${vaultId}/${name}`.toLowerCase())
    .update(`/${version}`)
    .digest();
  return `r-${base32(digest).slice(0, 26)}`;
}

/** RFC 4648 in lower case, without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join("");
}
