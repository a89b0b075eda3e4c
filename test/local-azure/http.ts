import { recordCall, takeFault } from "./faults.ts";
import { isAllowed } from "./roles.ts";
import type { AzureState, FaultRule, HttpService } from "./state.ts";
import { type Claims, type TokenAuthority, TokenRefused } from "./tokens.ts";

/** Thrown through a service whose connection is to be cut: the server destroys the socket, an in-memory client fails. */
export class ConnectionCut extends Error {
  override readonly name = "ConnectionCut";
}

/** An error body in the shape Key Vault and Resource Manager share. */
export function azureError(
  status: number,
  code: string,
  message: string,
  extra: { headers?: Record<string, string>; innererror?: object } = {},
): Response {
  const error = { code, message, ...(extra.innererror ? { innererror: extra.innererror } : {}) };
  return Response.json({ error }, { status, headers: extra.headers });
}

/** Thrown inside a service to answer with an error; `response()` turns it into the answer. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly code: string;
  readonly inner: string | undefined;
  readonly headers: Record<string, string> | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    extra: { inner?: string; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.inner = extra.inner;
    this.headers = extra.headers;
  }

  response(): Response {
    return azureError(this.status, this.code, this.message, {
      ...(this.headers ? { headers: this.headers } : {}),
      ...(this.inner ? { innererror: { code: this.inner } } : {}),
    });
  }
}

/** Who calls, if the request carries a good token for one of `audiences`; else why not. */
export async function authenticate(
  tokens: TokenAuthority,
  request: Request,
  audiences: readonly string[],
): Promise<{ claims: Claims } | { refused: string }> {
  const header = request.headers.get("authorization") ?? "";
  const [scheme, token] = header.split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) return { refused: "no bearer token" };
  try {
    return { claims: await tokens.verify(token, audiences) };
  } catch (error) {
    if (error instanceof TokenRefused) return { refused: error.message };
    throw error;
  }
}

/** 403 as Azure answers it, or `undefined` when the caller may do `action` at `scope`. */
export function refuseUnlessAllowed(
  state: AzureState,
  claims: Claims,
  action: string,
  scope: string,
): Response | undefined {
  if (isAllowed(state, claims.oid, action, scope)) return undefined;
  const message = `Caller '${claims.oid}' is not authorized to perform action '${action}' on resource '${scope}'.`;
  return azureError(403, "Forbidden", message, { innererror: { code: "ForbiddenByRbac" } });
}

/** Wraps a service so that fault rules apply to it and every call is recorded. */
export function withFaults(
  state: AzureState,
  service: FaultRule["service"],
  handle: HttpService,
): HttpService {
  return async (request) => {
    const call = `${request.method} ${new URL(request.url).pathname}`;
    const record = (status: number) =>
      recordCall(state, { service, call, status, principalId: callerOf(request) });
    const before = takeFault(state, service, call, ["before"]);
    if (before) {
      if (before.delay) await state.clock.sleep(before.delay);
      if (before.status || !before.delay) return answer(before, record);
    }
    const response = await handle(request);
    const after = takeFault(state, service, call, ["after", "lost"]);
    if (!after) {
      record(response.status);
      return response;
    }
    if (after.delay) await state.clock.sleep(after.delay);
    return answer(after.position === "lost" ? { ...after, status: undefined } : after, record);
  };
}

function answer(rule: FaultRule, record: (status: number) => void): Response {
  record(rule.status ?? 0);
  if (!rule.status) throw new ConnectionCut(rule.id);
  const headers = rule.retryAfter === undefined ? undefined : { "retry-after": String(rule.retryAfter) };
  const { status, code = "FaultInjected", message = "A fault was switched on for this call." } = rule;
  return azureError(status, code, message, { headers });
}

/** The `oid` of the caller's token, unverified: for the call record only. */
export function callerOf(request: Request): string | undefined {
  const payload = request.headers.get("authorization")?.split(".")[1];
  if (!payload) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return typeof claims === "object" && claims && "oid" in claims ? String(claims.oid) : undefined;
  } catch {
    return undefined;
  }
}
