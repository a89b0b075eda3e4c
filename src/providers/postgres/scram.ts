import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { Fault } from "../../errors.ts";
import { SecretValue } from "../../secret-value.ts";

const stretch = promisify(pbkdf2);

/** PostgreSQL's own default, and the least that RFC 7677 allows. */
const defaultIterations = 4096;

/**
 * What PostgreSQL stores for a password (RFC 5803 syntax, SCRAM-SHA-256 of RFC 7677). Sent instead of the plain text,
 * because the server writes statements to its log: all of them under `log_statement=ddl`, failed ones by default.
 * It is a secret too, if a lesser one: who has it can impersonate the server and try passwords against it.
 *
 * SASLprep leaves printable ASCII as it is; anything else is refused rather than normalised.
 * @throws Fault `not-supported` for other characters, or an empty password
 */
export async function scramVerifier(
  password: SecretValue,
  { salt = randomBytes(16), iterations = defaultIterations }: { salt?: Buffer; iterations?: number } = {},
): Promise<SecretValue> {
  const text = password.reveal();
  if (!/^[\x20-\x7e]+$/.test(text))
    throw new Fault("not-supported", "a PostgreSQL password must be printable ASCII and not empty");
  const salted = await stretch(text, salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return new SecretValue(`SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
