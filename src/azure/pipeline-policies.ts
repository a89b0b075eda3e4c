import type { PipelinePolicy, PipelineResponse } from "@azure/core-rest-pipeline";
import type { Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import { retryAfter } from "./translate-error.ts";

/** Not named `RestError`, so that the SDK's retry policy hands it on at once. */
class LongWait extends Error {
  override readonly name = "LongWait";
  readonly response: PipelineResponse;
  readonly statusCode: number;

  constructor(response: PipelineResponse) {
    super("the server asks for a longer wait than a call may last");
    this.response = response;
    this.statusCode = response.status;
  }
}

/**
 * Azure's SDKs obey any `Retry-After`, without an upper bound, and the job would sleep with its lock held. A wish above
 * `limit` ends the call instead; the fault carries it, and the queue waits. Goes into `additionalPolicies` as `perRetry`.
 */
export function refuseLongWaits(limit: Millis): PipelinePolicy {
  return {
    name: "refuseLongWaits",
    async sendRequest(request, next) {
      const response = await next(request);
      if (response.status !== 429 && response.status !== 503) return response;
      const wait = retryAfter({ response });
      if (wait === undefined || wait <= limit) return response;
      throw new LongWait(response);
    },
  };
}

/** The Key Vault client dies of a TypeError on an error without a body, and the status is lost. Goes in as `perCall`. */
export const fillEmptyErrors: PipelinePolicy = {
  name: "fillEmptyErrors",
  async sendRequest(request, next) {
    const response = await next(request);
    if (response.status >= 400 && !response.bodyAsText) response.bodyAsText = "{}";
    return response;
  },
};

/** The next page of a list and the status of an operation are addresses that an answer names: our token stays home. */
export function stayAt(endpoint: string): PipelinePolicy {
  const { origin } = new URL(endpoint);
  return {
    name: "stayAtEndpoint",
    async sendRequest(request, next) {
      if (new URL(request.url).origin === origin) return await next(request);
      throw new Fault(
        "unexpected-response",
        `Resource Manager pointed away from ${origin}; nothing was sent there`,
      );
    },
  };
}
