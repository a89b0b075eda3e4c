import type { TokenCredential } from "@azure/core-auth";
import {
  bearerTokenAuthenticationPolicy,
  createDefaultHttpClient,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import { z } from "zod";
import type { Clock, Millis, Timestamp } from "../clock.ts";
import { Fault, isFault } from "../errors.ts";
import { attribute } from "../telemetry/names.ts";
import { inSpan } from "../telemetry/span.ts";
import { refuseLongWaits, stayAt } from "./pipeline-policies.ts";
import { retryAfter, translateError } from "./translate-error.ts";

/** Calls on single resources, for what no SDK of its own is worth having. Every method throws a `Fault`. */
export interface ResourceManager {
  /** The resource as Azure describes it. @throws Fault `not-found` */
  get(resourceId: string, request: { readonly apiVersion: string }, signal?: AbortSignal): Promise<unknown>;
  /**
   * Calls `operation` of the resource and waits for its end. Resolves with the body of the answer; `undefined` if there
   * is none, as with most operations that Azure finishes later.
   * @throws Fault `not-found`; `unavailable` if another operation is at work there
   */
  post(resourceId: string, operation: string, request: PostRequest, signal?: AbortSignal): Promise<unknown>;
}

interface PostRequest {
  readonly apiVersion: string;
  readonly body?: object | undefined;
  /** It changes nothing (`listKeys`) and may be sent again. Anything else is sent once: a lost answer is a fault. */
  readonly reads?: boolean;
}

export interface ResourceManagerOptions {
  readonly credential: TokenCredential;
  /** Base URL. */
  readonly endpoint: string;
  /** OAuth scope of its tokens. */
  readonly scope: string;
  readonly clock: Clock;
  /** How often an accepted operation is asked after; a `Retry-After` of the answer wins. Default 1 s. */
  readonly pollEvery?: Millis;
  readonly client?: {
    readonly httpClient?: HttpClient;
    readonly retryOptions?: { readonly maxRetries?: number; readonly retryDelayInMs?: number };
  };
}

/** Longest one try of a call may last. */
const patience: Millis = 20_000;
/** Longest wait for an operation that Azure finishes later. */
const operationPatience: Millis = 5 * 60_000;
const longestRetryAfter: Millis = 10_000;

/** Strict on purpose: an id becomes part of a request path, so nothing that a URL would resolve or decode passes. */
const idFormat = /^(?:\/(?!\.{1,2}(?:\/|$))[-\p{L}\p{N}_.()~]+)+$/u;

const Problem = z.object({ code: z.string() });
const Status = z.object({ status: z.string() });

/** What one call needs on its way. */
interface Call {
  readonly send: (request: PipelineRequest) => Promise<PipelineResponse>;
  readonly poll: (request: PipelineRequest) => Promise<PipelineResponse>;
  readonly doing: string;
  readonly signal: AbortSignal | undefined;
}

export function createResourceManager(options: ResourceManagerOptions): ResourceManager {
  const retrying = createSender(options, options.client?.retryOptions ?? {});
  const once = createSender(options, { maxRetries: 0 });
  const urlOf = (id: string, operation: string, apiVersion: string) => {
    if (!idFormat.test(id)) throw new Fault("invalid-config", `${id} is not the id of a resource`);
    return `${options.endpoint}${encodeURI(id)}${operation && `/${operation}`}?api-version=${apiVersion}`;
  };
  return {
    get: (resourceId, { apiVersion }, signal) =>
      inCall("read", resourceId, signal, async (doing) => {
        const request = newRequest("GET", urlOf(resourceId, "", apiVersion), signal);
        return bodyOf(demandSuccess(await retrying(request), doing), doing);
      }),
    post: (resourceId, operation, { apiVersion, body, reads }, signal) =>
      inCall(operation, resourceId, signal, async (doing) => {
        const request = newRequest("POST", urlOf(resourceId, operation, apiVersion), signal, body);
        const call: Call = { send: reads ? retrying : once, poll: retrying, doing, signal };
        return await finish(demandSuccess(await call.send(request), doing), call, options);
      }),
  };
}

function createSender(
  { credential, endpoint, scope, client }: ResourceManagerOptions,
  retryOptions: NonNullable<NonNullable<ResourceManagerOptions["client"]>["retryOptions"]>,
): Call["send"] {
  const httpClient = client?.httpClient ?? createDefaultHttpClient();
  const pipeline = createPipelineFromOptions({ retryOptions, redirectOptions: { maxRetries: 0 } });
  pipeline.addPolicy(stayAt(endpoint));
  pipeline.addPolicy(refuseLongWaits(longestRetryAfter), { afterPhase: "Retry" });
  pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: scope }), { phase: "Sign" });
  return (request) => pipeline.sendRequest(httpClient, request);
}

/** One span and one translation of errors for each call. */
function inCall<T>(
  operation: string,
  id: string,
  signal: AbortSignal | undefined,
  work: (doing: string) => Promise<T>,
): Promise<T> {
  const doing = `${operation} ${id}`;
  const [name] = operation.split("/");
  return inSpan(`ResourceManager.${name}`, { [attribute.resource]: id }, async () => {
    try {
      signal?.throwIfAborted();
      return await work(doing);
    } catch (error) {
      if (signal?.aborted && !isFault(error)) throw new Fault("cancelled", `could not ${doing}: cancelled`);
      const fault = translateError(error, doing);
      // The pipeline reports its own time limit as an abort, too.
      if (fault.code !== "cancelled") throw fault;
      throw new Fault("unavailable", `could not ${doing}: no answer in time`);
    }
  });
}

function newRequest(
  method: "GET" | "POST",
  url: string,
  abortSignal: AbortSignal | undefined,
  body?: object,
): PipelineRequest {
  const request = createPipelineRequest({ method, url, timeout: patience });
  if (abortSignal) request.abortSignal = abortSignal;
  request.headers.set("accept", "application/json");
  if (method === "POST") request.headers.set("content-type", "application/json");
  if (body) request.body = JSON.stringify(body);
  return request;
}

/** @throws Fault that tells status and Azure's code, never the server's text */
function demandSuccess(response: PipelineResponse, doing: string): PipelineResponse {
  const { status } = response;
  if (status >= 200 && status < 300) return response;
  const details = problemOf(response);
  const fault = translateError({ name: "RestError", statusCode: status, details, response }, doing);
  // Resource providers answer either of these while another operation is at work; a lock on the resource stays.
  const isBusy = (status === 409 || status === 412) && details?.error.code !== "ScopeLocked";
  if (!isBusy) throw fault;
  const text = `could not ${doing}: another operation is at work there`;
  throw new Fault("unavailable", text, { cause: fault.cause, ...wish(fault.retryAfter) });
}

function wish(retryAfterMs: Millis | undefined): { retryAfter?: Millis } {
  return retryAfterMs === undefined ? {} : { retryAfter: retryAfterMs };
}

/** Some resource providers leave out the envelope. */
function problemOf(response: PipelineResponse): { error: { code: string } } | undefined {
  const body = parseBody(response);
  const parsed = z.union([z.object({ error: Problem }), Problem]).safeParse(body);
  if (!parsed.success) return undefined;
  return "error" in parsed.data ? parsed.data : { error: parsed.data };
}

/**
 * Follows an answer "accepted" to its end: https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
 * Where a status document tells the end, the result is left to a later look: providers differ in where they put it.
 */
async function finish(
  first: PipelineResponse,
  call: Call,
  options: ResourceManagerOptions,
): Promise<unknown> {
  const { clock, endpoint, pollEvery = 1_000 } = options;
  const status = first.headers.get("azure-asyncoperation");
  let address = status ?? first.headers.get("location");
  if (first.status !== 202 || !address) return bodyOf(first, call.doing);
  const end: Timestamp = clock.now() + operationPatience;
  let response = first;
  while (clock.now() < end) {
    await clock.sleep(Math.min(retryAfter({ response }) ?? pollEvery, end - clock.now()), call.signal);
    response = await poll(new URL(address, endpoint).href, call);
    address = status ?? response.headers.get("location") ?? address;
    if (status === undefined && response.status !== 202) return bodyOf(response, call.doing);
    if (status !== undefined && isSucceeded(response, call.doing)) return undefined;
  }
  throw new Fault("unavailable", `${call.doing}: Azure accepted it and has not finished in time`);
}

async function poll(url: string, { poll: send, doing, signal }: Call): Promise<PipelineResponse> {
  const response = await send(newRequest("GET", url, signal));
  // It is the operation that is gone, not the resource.
  if (response.status === 404) throw new Fault("unavailable", `${doing}: Azure has lost track of it`);
  return demandSuccess(response, doing);
}

function isSucceeded(response: PipelineResponse, doing: string): boolean {
  const parsed = Status.safeParse(parseBody(response));
  if (!parsed.success)
    throw new Fault("unexpected-response", `${doing}: Azure sent a status that cannot be read`);
  const status = parsed.data.status.toLowerCase();
  if (status === "failed" || status === "canceled") {
    throw new Fault("unavailable", `${doing}: Azure accepted it and then gave up`);
  }
  return status === "succeeded";
}

/** @throws Fault `unexpected-response` for a body that is not JSON */
function bodyOf(response: PipelineResponse, doing: string): unknown {
  if (!response.bodyAsText) return undefined;
  const body = parseBody(response);
  if (body === undefined)
    throw new Fault("unexpected-response", `could not ${doing}: the answer is not JSON`);
  return body;
}

function parseBody({ bodyAsText }: PipelineResponse): unknown {
  try {
    return JSON.parse(bodyAsText ?? "");
  } catch {
    return undefined;
  }
}
