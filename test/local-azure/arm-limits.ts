import { recordCall } from "./faults.ts";
import { azureError, callerOf } from "./http.ts";
import { takeToken, tokensLeft } from "./limits.ts";
import type { AzureState, HttpService } from "./state.ts";

/**
 * Resource Manager's token buckets around a service: one per principal, subscription and kind of operation. Answers
 * tell what is left, as Azure's do; over the limit it is 429 with `Retry-After`, and the service is not asked.
 */
export function withArmLimits(state: AzureState, handle: HttpService): HttpService {
  return async (request) => {
    const principalId = callerOf(request);
    if (!state.limits || !principalId) return await handle(request);
    const operation = operationOf(request.method);
    const key = `${principalId} ${state.subscriptionId}`;
    const retryAfter = takeToken(state, `arm-${operation}`, key);
    if (retryAfter !== undefined) {
      const call = `${request.method} ${new URL(request.url).pathname}`;
      recordCall(state, { service: "resource-manager", call, status: 429, principalId });
      const message = `Number of ${operation} requests for subscription '${state.subscriptionId}' exceeded the limit. Please try again after '${retryAfter}' seconds.`;
      return azureError(429, "SubscriptionRequestsThrottled", message, {
        headers: { "retry-after": String(retryAfter) },
      });
    }
    const response = await handle(request);
    const header = `x-ms-ratelimit-remaining-subscription-${operation}s`;
    response.headers.set(header, String(tokensLeft(state, `arm-${operation}`, key)));
    return response;
  };
}

function operationOf(method: string): "read" | "write" | "delete" {
  if (method === "GET" || method === "HEAD") return "read";
  return method === "DELETE" ? "delete" : "write";
}
