import { describe, expect, it } from "vitest";
import { fromDeliveryTag, fromUuidBytes, newLockToken, toDeliveryTag, toUuidBytes } from "./lock-token.ts";

describe("a lock token", () => {
  const token = "00112233-4455-6677-8899-aabbccddeeff";

  it("has .NET's byte order in a delivery tag", () => {
    expect(toDeliveryTag(token).toString("hex")).toBe("33221100554477668899aabbccddeeff");
    expect(fromDeliveryTag(Buffer.from("33221100554477668899aabbccddeeff", "hex"))).toBe(token);
  });

  it("has the order of its text in management requests", () => {
    expect(toUuidBytes(token).toString("hex")).toBe("00112233445566778899aabbccddeeff");
    expect(fromUuidBytes(Buffer.from("00112233445566778899aabbccddeeff", "hex"))).toBe(token);
  });

  it("survives both ways there and back", () => {
    const made = newLockToken();
    expect(fromDeliveryTag(toDeliveryTag(made))).toBe(made);
    expect(fromUuidBytes(toUuidBytes(made))).toBe(made);
  });
});
