import { randomUUID } from "node:crypto";

/**
 * A lock token is a GUID. In a delivery tag its bytes are in .NET's order (the first three groups little-endian); in
 * management requests and answers they are in the order of RFC 9562. Seen with @azure/service-bus 7.9.5, which swaps
 * them in `reorderLockToken`.
 */
export function newLockToken(): string {
  return randomUUID();
}

export function toDeliveryTag(token: string): Buffer {
  return swapped(toUuidBytes(token));
}

export function fromDeliveryTag(tag: Buffer | string): string {
  return fromUuidBytes(swapped(typeof tag === "string" ? Buffer.from(tag) : tag));
}

export function toUuidBytes(token: string): Buffer {
  return Buffer.from(token.replaceAll("-", ""), "hex");
}

export function fromUuidBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Turns one byte order into the other; its own inverse. */
function swapped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.subarray(0, 4).reverse();
  copy.subarray(4, 6).reverse();
  copy.subarray(6, 8).reverse();
  return copy;
}
