import { z } from "zod";
import { type Fault, type FaultCode, isFaultCode } from "../errors.ts";

/** How a job ended that failed, as stored with it in Redis. */
export interface Failure {
  readonly code?: FaultCode;
  /** `vault/name` of each secret that the job was for. */
  readonly secrets: readonly string[];
  /** A sentence for a person. */
  readonly text: string;
}

const Stored = z.object({
  code: z.string().refine(isFaultCode),
  secrets: z.array(z.string()),
  text: z.string(),
});

const Named = z.object({ vault: z.string(), name: z.string() });
const Listed = z.object({ secrets: z.array(z.string()) });

/** BullMQ keeps one text per failure: ours is JSON, so that nobody has to read facts out of a sentence. */
export function writeFailure({ code, secret, message }: Fault, data: object | undefined): string {
  const secrets = secret === undefined ? secretsOf(data) : [secret];
  return JSON.stringify({ code, secrets, text: message.slice(0, 500) });
}

/** A fault of Azure does not know for which secret it was asked: the job's own data does. */
function secretsOf(data: object = {}): string[] {
  const named = Named.safeParse(data);
  if (named.success) return [`${named.data.vault}/${named.data.name}`];
  return Listed.safeParse(data).data?.secrets ?? [];
}

/** What BullMQ fails itself (a job that it cannot read) has no code. */
export function readFailure(reason: string): Failure {
  const stored = Stored.safeParse(parse(reason));
  if (!stored.success) return { text: reason, secrets: [] };
  return stored.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
