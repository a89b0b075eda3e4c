import { z } from "zod";
import type { Millis } from "../clock.ts";
import { Fault, type FaultCode, isFault } from "../errors.ts";

/** Azure's codes are single words. Whatever else stands in their place could be text that quotes a request. */
const Word = z
  .string()
  .regex(/^[A-Za-z][\w.-]{0,63}$/)
  .optional()
  .catch(undefined);
const Inner = z.object({ code: Word }).optional().catch(undefined);
const Body = z.object({ code: Word, innerError: Inner, innererror: Inner });

/** What is read of a thrown error; its message and body are not, since a server may quote what it was sent. */
const Raised = z.object({
  name: Word,
  code: Word,
  statusCode: z.number().int().optional().catch(undefined),
  retryable: z.boolean().optional().catch(undefined),
  details: z.object({ error: Body }).optional().catch(undefined),
  errors: z.array(z.unknown()).optional().catch(undefined),
});
type Raised = z.infer<typeof Raised>;

interface Finding {
  readonly code: FaultCode;
  readonly text: string;
}

const statusCodes: Readonly<Record<number, FaultCode>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  408: "unavailable",
  409: "conflict",
  429: "throttled",
};

/** Codes of `ServiceBusError`, https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-exceptions-latest */
const serviceBusCodes: Readonly<Record<string, FaultCode>> = {
  MessagingEntityNotFound: "not-found",
  MessageNotFound: "not-found",
  MessageLockLost: "conflict",
  SessionLockLost: "conflict",
  MessageSizeExceeded: "message-too-large",
  QuotaExceeded: "throttled",
  ServiceBusy: "throttled",
  ServiceTimeout: "unavailable",
  ServiceCommunicationProblem: "unavailable",
  MessagingEntityDisabled: "unavailable",
  UnauthorizedAccess: "forbidden",
};

/** Inner codes that need a word on what to do. */
const advice: Readonly<Record<string, string>> = {
  SecretDisabled: "enable the version, or publish a new one",
  ForbiddenByRbac: "give keyturn's identity the role, and allow some minutes for it to apply",
  ForbiddenByPolicy:
    "an access policy or an Azure Policy of the vault refuses this; ask an owner of the vault which",
  ForbiddenByFirewall: "allow keyturn's network in the firewall of the vault",
  ForbiddenByConnection: "the vault takes calls through its private endpoint only",
  Authorization_RequestDenied:
    "give keyturn's identity the app role Application.ReadWrite.OwnedBy and make it an owner of the application",
  ObjectIsDeletedButRecoverable: "a deleted secret holds this name; recover or purge it",
};

const noToken = new Set(["CredentialUnavailableError", "AuthenticationRequiredError"]);
const socketCode =
  /^(E[A-Z]{3,}(_[A-Z]+)*|REQUEST_SEND_ERROR|UND_ERR_\w+|ERR_TLS_\w+|.*_CERT(_.*)?|network_error)$/;

/**
 * What an Azure SDK threw, as a fault. `doing` completes "could not ..." and names what it was done to. The fault tells
 * status and Azure's codes, never the server's text; its cause is a plain record of the same.
 */
export function translateError(error: unknown, doing: string, secret?: string): Fault {
  if (isFault(error)) return error;
  const parsed = Raised.safeParse(error);
  const raised: Raised = parsed.success ? parsed.data : {};
  const [first] = raised.errors ?? [];
  // Service Bus throws all tries of an operation at once; they failed alike.
  if (first !== undefined && raised.statusCode === undefined) return translateError(first, doing, secret);
  const { code, text } = classify(raised);
  return new Fault(code, `could not ${doing}: ${text}`, {
    cause: {
      name: raised.name,
      code: raised.code,
      innerCode: innerCode(raised),
      status: raised.statusCode,
      requestId: word(header(error, "x-ms-request-id")),
    },
    retryAfter: retryAfter(error),
    secret,
  });
}

function classify(raised: Raised): Finding {
  const { name, code, statusCode: status } = raised;
  if (name === "AbortError") return { code: "cancelled", text: "cancelled" };
  if (name === "TimeoutError") return { code: "unavailable", text: "no answer in time" };
  if (name !== undefined && noToken.has(name))
    return { code: "unavailable", text: "managed identity gave no token; is the identity assigned?" };
  if (status !== undefined) return byStatus(raised, status);
  if (name === "ServiceBusError" || name === "MessagingError") return byServiceBus(raised);
  if (code !== undefined && socketCode.test(code))
    return { code: "unavailable", text: `no answer (${code})` };
  return {
    code: "unexpected-response",
    text: `unexpected ${[name ?? "error", code].filter(Boolean).join(" ")}`,
  };
}

function byStatus(raised: Raised, status: number): Finding {
  const inner = innerCode(raised);
  const codes = [...new Set([raised.details?.error.code ?? raised.code, inner])].filter(Boolean).join("/");
  const help = advice[inner ?? ""] ?? advice[raised.code ?? ""];
  const text = `Azure answered ${[status, codes].filter(Boolean).join(" ")}${help ? `; ${help}` : ""}`;
  return { code: codeOf(raised, status, inner), text };
}

function codeOf(raised: Raised, status: number, inner: string | undefined): FaultCode {
  if (status === 403 && inner === "SecretDisabled") return "secret-disabled";
  // Entra answers 400 to a token request that it rejects.
  if (status === 400 && raised.name === "AuthenticationError") return "unauthenticated";
  return statusCodes[status] ?? (status >= 500 ? "unavailable" : "unexpected-response");
}

function byServiceBus({ code = "GeneralError", retryable }: Raised): Finding {
  const fallback = retryable || socketCode.test(code) ? "unavailable" : "unexpected-response";
  return { code: serviceBusCodes[code] ?? fallback, text: `Service Bus says ${code}` };
}

function innerCode(raised: Raised): string | undefined {
  const body = raised.details?.error;
  return (body?.innerError ?? body?.innererror)?.code;
}

/**
 * The server's wish in an answer (or an error that carries one), in milliseconds. A date is taken relative to the answer's own `Date`, so that neither clock has
 * to be right.
 */
export function retryAfter(error: unknown): Millis | undefined {
  for (const name of ["retry-after-ms", "x-ms-retry-after-ms"]) {
    const wait = Number(header(error, name) ?? Number.NaN);
    if (wait >= 0) return wait;
  }
  const text = header(error, "retry-after");
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1000;
  const wait = Date.parse(text) - Date.parse(header(error, "date") ?? "");
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

interface Headers {
  get(name: string): string | undefined;
}

const Answer = z.object({
  response: z.object({
    headers: z.custom<Headers>((it) => typeof it === "object" && it !== null && "get" in it),
  }),
});

function header(error: unknown, name: string): string | undefined {
  const answer = Answer.safeParse(error);
  return answer.success ? (answer.data.response.headers.get(name) ?? undefined) : undefined;
}

function word(text: string | undefined): string | undefined {
  return text !== undefined && /^[\w-]{1,64}$/.test(text) ? text : undefined;
}
