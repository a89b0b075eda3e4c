import type { PipelineResponse } from "@azure/core-rest-pipeline";
import { retryAfter } from "../../azure/translate-error.ts";
import { Fault, type FaultCode } from "../../errors.ts";
import { connectionFault } from "../connection-fault.ts";

type Call = "observe" | "apply" | "verify" | "revoke";

/** Statuses that mean the same for every call. */
const codes: Readonly<Record<number, FaultCode>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  408: "unavailable",
  409: "unavailable",
  410: "target-missing",
  429: "throttled",
};

const meanings: Partial<Record<FaultCode, string>> = {
  "propagation-pending": "the endpoint has taken it and is not done yet",
  unauthenticated: "the endpoint does not accept the token of keyturn's identity; compare the audiences",
  forbidden: "the endpoint does not let keyturn's identity do this",
  "not-found": "the endpoint does not have this call; is the policy's url right?",
  "target-missing": "the endpoint has no such credential; create it, or correct the policy's slots",
  "credential-rejected": "the endpoint refuses the credential",
  throttled: "the endpoint asks to be left alone for a while",
  unavailable: "the endpoint is busy or out of order; it will be tried again",
};

/** An answer that is no success, as a fault: its status, never its text. */
export function answerFault(call: Call, url: string, response: PipelineResponse): Fault {
  const code = codeOf(call, response.status);
  const meaning = meanings[code] ?? "the protocol has no such answer (redirects are not followed)";
  const wait = retryAfter({ response });
  const text = `${url}/${call} answered ${response.status}: ${meaning}`;
  return new Fault(code, text, wait === undefined ? {} : { retryAfter: wait });
}

function codeOf(call: Call, status: number): FaultCode {
  if (status === 202 && call !== "observe") return "propagation-pending";
  if (status === 422 && (call === "apply" || call === "verify")) return "credential-rejected";
  return codes[status] ?? (status >= 500 ? "unavailable" : "unexpected-response");
}

export function malformed(url: string): Fault {
  return new Fault(
    "unexpected-response",
    `${url}/observe answered with something that the protocol does not know`,
  );
}

/** What a call threw without an answer: network, TLS, time. Its text is dropped. */
export function callFault(error: unknown, url: string): Fault {
  if (error instanceof Fault) return error;
  return connectionFault(error, url);
}
