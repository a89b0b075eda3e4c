import {
  createDefaultHttpClient,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpClient,
} from "@azure/core-rest-pipeline";
import type { z } from "zod";
import { refuseLongWaits } from "../../azure/pipeline-policies.ts";
import { translateError } from "../../azure/translate-error.ts";
import type { Millis, Timestamp } from "../../clock.ts";
import { Fault, isFault } from "../../errors.ts";
import type { SecretValue } from "../../secret-value.ts";
import type { Domain } from "./key-kind.ts";
import type { KeyedResource } from "./keyed-resource.ts";

/** How one kind of service is called with a key: one request that reads, with the key or a signature made with it. */
export interface DataPlane {
  /** What Resource Manager tells of the resource, read for the endpoint; `undefined`: these keys cannot be used here. */
  readonly Description: z.ZodType<string | undefined>;
  /** Id of the resource whose description that is; default: the resource itself. */
  owner?(resource: KeyedResource): string;
  /** Domains under which its hosts are. */
  readonly domains: Readonly<Record<keyof Domain, readonly string[]>>;
  request(use: Use): { readonly path: string; readonly headers: Readonly<Record<string, string>> };
  /** `undefined`: the answer says nothing about the key. */
  judge(answer: Answer): Judgement | undefined;
}

export type Judgement = "accepted" | "rejected";

/** One use of a key. */
export interface Use {
  readonly resource: KeyedResource;
  readonly key: SecretValue;
  readonly endpoint: URL;
  readonly now: Timestamp;
}

interface Answer {
  readonly status: number;
  /** Azure's code for it, where a header tells. */
  readonly code: string | undefined;
  /** May quote what was sent: to search in, never to show. */
  readonly text: string;
}

export interface DataPlaneOptions {
  readonly httpClient?: HttpClient;
  readonly retryOptions?: { readonly maxRetries?: number; readonly retryDelayInMs?: number };
}

/** Calls a data plane. @throws Fault; the key is neither accepted nor refused by it */
export type CallDataPlane = (plane: DataPlane, use: Use, signal: AbortSignal) => Promise<Judgement>;

const patience: Millis = 20_000;
const longestRetryAfter: Millis = 10_000;
/** Words with which services say that no key would be good enough. */
const switchedOff =
  /KeyBasedAuthenticationNotPermitted|LocalAuthDisabled|AuthenticationTypeDisabled|Local Authorization is disabled|SAS authentication has been disabled/i;

/** A pipeline without tokens and redirects: what it sends goes to one host, and is good for nothing else. */
export function createCallDataPlane({ httpClient, retryOptions = {} }: DataPlaneOptions): CallDataPlane {
  const client = httpClient ?? createDefaultHttpClient();
  const pipeline = createPipelineFromOptions({
    retryOptions: { maxRetries: 2, ...retryOptions },
    redirectOptions: { maxRetries: 0 },
  });
  // Its header would have to be part of the signature.
  pipeline.removePolicy({ name: "setClientRequestIdPolicy" });
  pipeline.addPolicy(refuseLongWaits(longestRetryAfter), { afterPhase: "Retry" });
  return async (plane, use, signal) => {
    const doing = `use a key of ${use.resource.id}`;
    const { path, headers } = plane.request(use);
    const url = new URL(path, use.endpoint.origin).href;
    const request = createPipelineRequest({ url, timeout: patience, abortSignal: signal });
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    try {
      signal.throwIfAborted();
      const response = await pipeline.sendRequest(client, request);
      const code = response.headers.get("x-ms-error-code");
      const answer = { status: response.status, code, text: response.bodyAsText ?? "" };
      if ([401, 403].includes(answer.status)) refuseIfSwitchedOff(answer, use);
      const judgement = plane.judge(answer);
      if (judgement) return judgement;
      const details = code === undefined ? undefined : { error: { code } };
      throw translateError({ name: "RestError", statusCode: answer.status, details, response }, doing);
    } catch (error) {
      throw toFault(error, doing, signal);
    }
  };
}

function refuseIfSwitchedOff({ code, text }: Answer, { resource }: Use): void {
  if (!switchedOff.test(`${code} ${text}`)) return;
  throw new Fault(
    "forbidden",
    `${resource.id} takes no keys at all; allow key access there, or take the secret out of the policy`,
  );
}

function toFault(error: unknown, doing: string, signal: AbortSignal): Fault {
  if (isFault(error)) return error;
  if (signal.aborted) return new Fault("cancelled", `could not ${doing}: cancelled`);
  const fault = translateError(error, doing);
  // The pipeline reports its own time limit as an abort.
  return fault.code === "cancelled"
    ? new Fault("unavailable", `could not ${doing}: no answer in time`)
    : fault;
}
