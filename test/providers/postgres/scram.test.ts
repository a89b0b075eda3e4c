import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { scramVerifier } from "../../../src/providers/postgres/scram.ts";
import { SecretValue } from "../../../src/secret-value.ts";

/** The example of RFC 7677, section 3. */
const example = {
  password: "pencil",
  salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
  authMessage: [
    "n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
  ].join(","),
  proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverSignature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

test("the verifier accepts the proof of RFC 7677 and gives its server signature", async () => {
  const verifier = await scramVerifier(new SecretValue(example.password), {
    salt: Buffer.from(example.salt, "base64"),
  });
  const { storedKey, serverKey, iterations, salt } = split(verifier);
  expect({ iterations, salt }).toEqual({ iterations: "4096", salt: example.salt });
  expect(hmac(serverKey, example.authMessage).toString("base64")).toBe(example.serverSignature);
  const signature = hmac(storedKey, example.authMessage);
  const clientKey = Buffer.from(example.proof, "base64").map((byte, index) => byte ^ (signature[index] ?? 0));
  expect(createHash("sha256").update(clientKey).digest().equals(storedKey)).toBe(true);
});

test("the same password gets another salt each time", async () => {
  const password = new SecretValue("correct-horse-battery");
  const [one, two] = await Promise.all([scramVerifier(password), scramVerifier(password)]);
  expect(split(one).salt).not.toBe(split(two).salt);
  expect(Buffer.from(split(one).salt, "base64")).toHaveLength(16);
});

test.each(["", "pass\nword", "pässwörd", "a\u0000b", "caf\u00e9", "\u{1F511}"])(
  "the password %j is refused rather than normalised, and not quoted",
  async (text) => {
    const attempt = scramVerifier(new SecretValue(text));
    await expect(attempt).rejects.toMatchObject({
      code: "not-supported",
      message: "a PostgreSQL password must be printable ASCII and not empty",
    });
  },
);

function split(verifier: SecretValue) {
  const pattern = /^SCRAM-SHA-256\$(?<iterations>\d+):(?<salt>[^$]+)\$(?<stored>[^:]+):(?<server>.+)$/;
  const parts = pattern.exec(verifier.reveal())?.groups ?? {};
  return {
    iterations: parts["iterations"] ?? "",
    salt: parts["salt"] ?? "",
    storedKey: Buffer.from(parts["stored"] ?? "", "base64"),
    serverKey: Buffer.from(parts["server"] ?? "", "base64"),
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
