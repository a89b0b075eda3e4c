import { z } from "zod";
import { Fault } from "../../errors.ts";
import { translateError } from "../translate-error.ts";

const Tries = z.object({ errors: z.array(z.unknown()).min(1) });
const Raised = z.object({ name: z.string(), code: z.string(), retryable: z.boolean().optional() });

/**
 * Names that core-amqp gives to AMQP conditions. The SDK turns them into codes of its own only where an operation was
 * tried once; when it was tried again, all errors are thrown together as they were.
 */
const conditions: Readonly<Record<string, string>> = {
  MessagingEntityNotFoundError: "MessagingEntityNotFound",
  MessageLockLostError: "MessageLockLost",
  MessageNotFoundError: "MessageNotFound",
  MessagingEntityDisabledError: "MessagingEntityDisabled",
  OperationTimeoutError: "ServiceTimeout",
  QuotaExceededError: "QuotaExceeded",
  ServerBusyError: "ServiceBusy",
  ServiceCommunicationError: "ServiceCommunicationProblem",
  ServiceUnavailableError: "ServiceTimeout",
  UnauthorizedError: "UnauthorizedAccess",
};

/** What the Service Bus SDK threw, as a fault; of several tries the last one counts. */
export function translateServiceBusError(error: unknown, doing: string): Fault {
  const tries = Tries.safeParse(error);
  const last = tries.success ? tries.data.errors.at(-1) : error;
  const raised = Raised.safeParse(last);
  const code = raised.success ? (conditions[raised.data.code] ?? conditions[raised.data.name]) : undefined;
  const fault = translateError(code ? { ...raised.data, name: "ServiceBusError", code } : last, doing);
  // A connection that just ends is a plain Error to the SDK, without a name or code to go by.
  if (fault.code !== "unexpected-response") return fault;
  return new Fault("unavailable", `could not ${doing}: the connection ended`, { cause: fault.cause });
}
