import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { z } from "zod";
import type { SecretState, SecretVersionState } from "../state.ts";
import { badParameter } from "./requests.ts";

/** Azure's blob is opaque and can be opened by Azure only; this one by the process that sealed it. */
const key = randomBytes(32);

const BackedUp: z.ZodType<SecretState> = z.object({
  name: z.string(),
  versions: z.array(z.custom<SecretVersionState>()),
});

/** All versions of a secret as an encrypted base64url blob. */
export function sealBackup(secret: SecretState): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(secret), "utf8"), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64url");
}

/** @throws Refusal 400 if the blob was not sealed here */
export function openBackup(blob: string): SecretState {
  const bytes = Buffer.from(blob, "base64url");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(12, 28));
    const text = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
    return BackedUp.parse(JSON.parse(text));
  } catch {
    throw badParameter("Backup blob contains invalid or corrupt data.");
  }
}
