import {
  bearerTokenAuthenticationPolicy,
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpClient,
  type Pipeline,
  type PipelineOptions,
  type PipelineRequestOptions,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import type { TokenCredential } from "@azure/core-auth";
import type { Attributes } from "@opentelemetry/api";
import { z } from "zod";
import type { Millis } from "../../clock.ts";
import { Fault } from "../../errors.ts";
import type { SecretValue } from "../../secret-value.ts";
import { inSpan } from "../../telemetry/span.ts";
import { refuseLongWaits } from "../pipeline-policies.ts";
import { retryAfter, translateError } from "../translate-error.ts";

export interface GraphOptions {
  readonly credential: TokenCredential;
  /** Base URLs of Graph and of the authority; `undefined` = not configured, and every call says so. */
  readonly graph: string | undefined;
  readonly authority: string | undefined;
  /** OAuth scope of Graph's tokens. */
  readonly scope: string;
  /** Told each new value, so that logs and spans can be kept free of it. */
  readonly learn?: (value: SecretValue) => void;
  /** Further options of the pipeline: `httpClient`, `retryOptions`, ... */
  readonly client?: PipelineOptions & { readonly httpClient?: HttpClient };
}

export interface GraphCall {
  readonly operation: string;
  /** Completes "could not ...". */
  readonly doing: string;
  readonly method: "GET" | "POST";
  readonly body?: object;
  readonly attributes?: Attributes;
  readonly signal?: AbortSignal | undefined;
}

/** Longest one try of a call may last; the pipeline has no limit of its own. */
const patience: Millis = 20_000;
const longestRetryAfter: Millis = 10_000;

export type Send = (request: PipelineRequestOptions, doing: string) => Promise<PipelineResponse>;

/** Sends requests through `pipeline`; whatever keeps an answer from coming is a fault. */
export function createSend(pipeline: Pipeline, { client }: GraphOptions): Send {
  const http = client?.httpClient ?? createDefaultHttpClient();
  return async (request, doing) => {
    try {
      if (request.abortSignal?.aborted) throw new Fault("cancelled", `could not ${doing}: cancelled`);
      return await pipeline.sendRequest(http, createPipelineRequest({ timeout: patience, ...request }));
    } catch (error) {
      const fault = translateError(error, doing);
      // The pipeline reports its own time limit as an abort, too.
      if (fault.code !== "cancelled" || request.abortSignal?.aborted) throw fault;
      throw new Fault("unavailable", `could not ${doing}: no answer in ${patience / 1000} s`);
    }
  };
}

/** Without redirects: a body with a secret in it goes to the host that the configuration names, and no other. */
export function createEntraPipeline({ client = {} }: GraphOptions, repeat: boolean): Pipeline {
  const { httpClient: _, ...given } = client;
  const once = repeat ? {} : { retryOptions: { maxRetries: 0 } };
  const pipeline = createPipelineFromOptions({ ...given, redirectOptions: { maxRetries: 0 }, ...once });
  pipeline.addPolicy(refuseLongWaits(longestRetryAfter), { afterPhase: "Sign" });
  return pipeline;
}

/** One span, one request and one translation of errors for each operation of Graph. */
export function createGraphCall(options: GraphOptions) {
  const { credential, scope } = options;
  const signedIn = (repeat: boolean) => {
    const pipeline = createEntraPipeline(options, repeat);
    pipeline.addPolicy(bearerTokenAuthenticationPolicy({ credential, scopes: [scope] }), { phase: "Sign" });
    return createSend(pipeline, options);
  };
  const [repeating, once] = [signedIn(true), signedIn(false)];
  return async <T>(call: GraphCall, path: string, schema: z.ZodType<T>): Promise<T> => {
    const { operation, doing, method, body, signal, attributes } = call;
    const base = configured(options.graph, "KEYTURN_GRAPH");
    const named = { "server.address": new URL(base).hostname, ...attributes };
    return inSpan(`Graph.${operation}`, named, async () => {
      const send = operation === "addPassword" ? once : repeating;
      const request = { url: `${base}/v1.0${path}`, method, ...bodyOf(body), ...abortBy(signal) };
      const response = await send(request, doing);
      if (response.status >= 300) throw refusal(response, doing);
      return answerOf(response, schema, doing);
    });
  };
}

/** @throws Fault `invalid-config` */
export function configured(url: string | undefined, variable: string): string {
  if (url) return url;
  throw new Fault(
    "invalid-config",
    `${variable}: missing; rotating client secrets in cloud: custom needs it`,
  );
}

export function abortBy(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}

function bodyOf(body: object | undefined): Pick<PipelineRequestOptions, "body" | "headers"> {
  const headers = createHttpHeaders({ "content-type": "application/json" });
  return body ? { body: JSON.stringify(body), headers } : {};
}

/** The body as JSON, `undefined` if it is none; for reading codes out of it, never for quoting. */
export function jsonOf({ bodyAsText }: PipelineResponse): unknown {
  try {
    return JSON.parse(bodyAsText || "null");
  } catch {
    return undefined;
  }
}

/** zod's own error quotes what it read, and that may be a secret. */
export function answerOf<T>(response: PipelineResponse, schema: z.ZodType<T>, doing: string): T {
  const parsed = schema.safeParse(jsonOf(response));
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
  throw new Fault("unexpected-response", `could not ${doing}: the answer is not as documented at ${places}`);
}

const Code = z
  .string()
  .regex(/^\w{1,64}$/)
  .optional()
  .catch(undefined);
const ErrorAnswer = z
  .object({ error: z.object({ code: Code, message: z.string().catch("") }) })
  .catch({ error: { code: undefined, message: "" } });

/** Graph has one code for many things, so its message is read, but never passed on: it can quote the request. */
function refusal(response: PipelineResponse, doing: string): Fault {
  const { code, message } = ErrorAnswer.parse(jsonOf(response)).error;
  const { status } = response;
  // Two writes to a tenant at once; live tenants were seen to answer 400 and 409.
  if (
    [400, 409].includes(status) &&
    (/concurren/i.test(message) || code === "Directory_ConcurrencyViolation")
  ) {
    const wait = retryAfter({ response });
    const busy = `could not ${doing}: Graph is at work on another change in this tenant`;
    return new Fault("throttled", busy, wait === undefined ? {} : { retryAfter: wait });
  }
  // https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation
  if (
    [400, 403].includes(status) &&
    (/^Directory_\w*(Exceeded|Quota)/.test(code ?? "") || full.test(message))
  ) {
    const advice = "remove client secrets that nobody uses";
    return new Fault("too-many-credentials", `could not ${doing}: Graph allows no more of them; ${advice}`);
  }
  return translateError({ name: "RestError", code, statusCode: status, response }, doing);
}

const full =
  /exceed\w* (its|the) (size )?limit|maximum (allowed )?(number|count)|too many (password|credential|secret)/i;
