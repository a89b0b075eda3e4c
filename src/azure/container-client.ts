import { ContainerInstanceManagementClient } from "@azure/arm-containerinstance";
import type { ContainerInstanceManagementClientOptionalParams } from "@azure/arm-containerinstance";
import type { TokenCredential } from "@azure/core-auth";
import { defaultRetryPolicy, type PipelinePolicy } from "@azure/core-rest-pipeline";
import type { Millis } from "../clock.ts";
import { refuseLongWaits, stayAt } from "./pipeline-policies.ts";

export interface ContainerClientOptions {
  readonly credential: TokenCredential;
  /** Resource Manager's base URL. */
  readonly endpoint: string;
  /** OAuth scope of its tokens; without one the SDK would ask for a token for `endpoint`. */
  readonly scope: string;
  /** Further options of the SDK: `httpClient`, `tlsOptions`, `retryOptions`, ... */
  readonly client?: ContainerInstanceManagementClientOptionalParams;
}

const longestRetryAfter: Millis = 10_000;

/** The SDK's client of one subscription, made safe to act with. */
export function createContainerClient(
  subscription: string,
  { credential, endpoint, scope, client = {} }: ContainerClientOptions,
): ContainerInstanceManagementClient {
  const made = new ContainerInstanceManagementClient(credential, subscription, {
    ...client,
    endpoint,
    credentialScopes: [scope],
    redirectOptions: { maxRetries: 0 },
    additionalPolicies: [
      ...(client.additionalPolicies ?? []),
      { policy: stayAt(endpoint), position: "perCall" },
      { policy: refuseLongWaits(longestRetryAfter), position: "perRetry" },
    ],
  });
  const retry = defaultRetryPolicy(client.retryOptions);
  made.pipeline.removePolicy({ name: retry.name });
  made.pipeline.addPolicy(onlyForReads(retry), { phase: "Retry" });
  return made;
}

/** A restart whose answer was lost or is a 500 has often happened; sent again automatically, it would happen twice. */
function onlyForReads(retry: PipelinePolicy): PipelinePolicy {
  return {
    name: "retryReads",
    sendRequest: (request, next) =>
      request.method === "GET" ? retry.sendRequest(request, next) : next(request),
  };
}
