import { createHttpHeaders, createPipelineRequest, RestError } from "@azure/core-rest-pipeline";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { translateError } from "../../src/azure/translate-error.ts";
import { Fault } from "../../src/errors.ts";

const canary = "Canary-7f3a9b2c5d8e1f4a";

interface Answer {
  readonly headers?: Record<string, string>;
  readonly code?: string;
  readonly inner?: string;
}

/** As the SDKs throw it: the server's body in the message and in `details`, the value in the request. */
function restError(status: number, { headers = {}, code = "Forbidden", inner }: Answer = {}): RestError {
  const request = createPipelineRequest({ url: "https://prod-kv.vault.azure.net/secrets/a", body: canary });
  const body = {
    error: { code, message: `no: ${canary}`, innerError: inner && { code: inner, message: canary } },
  };
  const error = new RestError(`no: ${canary}`, {
    statusCode: status,
    code,
    request,
    response: { request, status, headers: createHttpHeaders(headers), bodyAsText: JSON.stringify(body) },
  });
  error.details = body;
  return error;
}

function named(name: string, more: object = {}): Error {
  return Object.assign(new Error(`text with ${canary}`), { name }, more);
}

describe("translateError", () => {
  it.each([
    [400, "unexpected-response"],
    [401, "unauthenticated"],
    [403, "forbidden"],
    [404, "not-found"],
    [408, "unavailable"],
    [409, "conflict"],
    [429, "throttled"],
    [500, "unavailable"],
    [503, "unavailable"],
    [307, "unexpected-response"],
  ])("turns status %i into %s", (status, code) => {
    expect(translateError(restError(status), "read a/b").code).toBe(code);
  });

  it.each([
    [named("AbortError"), "cancelled"],
    [named("TimeoutError"), "unavailable"],
    [named("CredentialUnavailableError"), "unavailable"],
    [named("AuthenticationError", { statusCode: 400 }), "unauthenticated"],
    [named("AuthenticationError", { statusCode: 500 }), "unavailable"],
    [named("AggregateAuthenticationError", { errors: [named("CredentialUnavailableError")] }), "unavailable"],
    [new RestError("x", { code: "ECONNRESET" }), "unavailable"],
    [new RestError("x", { code: RestError.REQUEST_SEND_ERROR }), "unavailable"],
    [new RestError("x", { code: "SELF_SIGNED_CERT_IN_CHAIN" }), "unavailable"],
    [new RestError("x", { code: RestError.PARSE_ERROR, statusCode: 200 }), "unexpected-response"],
    [named("Error", { code: "ENOTFOUND" }), "unavailable"],
    [named("Error"), "unexpected-response"],
    ["a string", "unexpected-response"],
    [undefined, "unexpected-response"],
    [named("ServiceBusError", { code: "ServiceBusy", retryable: true }), "throttled"],
    [named("ServiceBusError", { code: "MessageLockLost" }), "conflict"],
    [named("ServiceBusError", { code: "GeneralError", retryable: true }), "unavailable"],
    [named("ServiceBusError", { code: "GeneralError", retryable: false }), "unexpected-response"],
    [new AggregateError([named("ServiceBusError", { code: "ServiceTimeout" })]), "unavailable"],
  ])("turns %s into %s", (error, code) => {
    expect(translateError(error, "do it").code).toBe(code);
  });

  it("hands a fault on as it is", () => {
    const fault = new Fault("conflict", "somebody was faster");
    expect(translateError(fault, "do it")).toBe(fault);
  });

  it("tells what was done, to which secret, and Azure's codes", () => {
    const fault = translateError(restError(403, { inner: "ForbiddenByRbac" }), "publish kv/db", "kv/db");
    expect(fault.message).toMatch(
      /^could not publish kv\/db: Azure answered 403 Forbidden\/ForbiddenByRbac; give /,
    );
    expect(fault.secret).toBe("kv/db");
  });

  it("tells a disabled secret from one that is forbidden", () => {
    expect(translateError(restError(403, { inner: "SecretDisabled" }), "x").code).toBe("secret-disabled");
    expect(translateError(restError(403, { inner: "ForbiddenByPolicy" }), "x").message).toContain("policy");
  });

  it.each([
    [{ "retry-after": "7" }, 7_000],
    [{ "retry-after-ms": "350" }, 350],
    [{ "x-ms-retry-after-ms": "1200", "retry-after": "9" }, 1_200],
    [{ "retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", date: "Sat, 21 Nov 2026 10:00:00 GMT" }, 30_000],
    [{ "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT", date: "Sat, 21 Nov 2026 10:00:00 GMT" }, 0],
    [{ "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{}, undefined],
  ])("reads %o as a wait of %s ms", (headers, wait) => {
    expect(translateError(restError(429, { headers }), "x").retryAfter).toBe(wait);
  });

  it("keeps the request id for Azure's support", () => {
    const fault = translateError(restError(500, { headers: { "x-ms-request-id": "abc-1" } }), "x");
    expect(fault.cause).toMatchObject({ status: 500, requestId: "abc-1" });
  });

  it.each([
    restError(400, { inner: "BadParameter" }),
    restError(403, { code: `Code with ${canary}`, inner: `inner ${canary}` }),
    named("Error", { code: `E ${canary}` }),
    named(`Name ${canary}`, { cause: named("Error") }),
    new AggregateError([restError(500)], canary),
    restError(500, { headers: { "x-ms-request-id": `id ${canary}` } }),
  ])("never quotes the server or the request", (error) => {
    const fault = translateError(error, "publish kv/db", "kv/db");
    const seen = [
      inspect(fault, { depth: 20, showHidden: true }),
      JSON.stringify(fault),
      JSON.stringify(fault.cause),
      String(fault),
      fault.stack ?? "",
    ].join("\n");
    expect(seen).not.toContain(canary);
  });
});
