import type { TokenCredential } from "@azure/core-auth";
import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from "@azure/core-rest-pipeline";
import { ConnectionCut } from "./http.ts";
import type { HttpService, Identity } from "./state.ts";
import type { TokenAuthority } from "./tokens.ts";

/**
 * The HTTP client of an Azure SDK that hands requests to services in this process, by `host[:port]`: real SDKs without
 * sockets, for many schedules on a virtual clock. A cut connection and an unknown host fail as they do on a socket.
 */
export function inMemoryHttpClient(routes: ReadonlyMap<string, HttpService>): HttpClient {
  return {
    async sendRequest(request) {
      const service = routes.get(new URL(request.url).host);
      if (!service) throw sendError(request, "ENOTFOUND");
      const aborted = whenAborted(request.abortSignal);
      try {
        const response = await Promise.race([service(toRequest(request)), aborted.rejects]);
        return await toPipeline(request, response);
      } catch (error) {
        if (error instanceof ConnectionCut) throw sendError(request, RestError.REQUEST_SEND_ERROR);
        throw error;
      } finally {
        aborted.forget();
      }
    },
  };
}

/** A credential that asks the authority directly: @azure/identity keeps its cache process-wide and on real time. */
export function inMemoryCredential(tokens: TokenAuthority, identity: Identity): TokenCredential {
  return {
    async getToken(scopes) {
      const scope = [scopes].flat()[0] ?? "";
      const { token, expiresOn } = await tokens.issue(identity, scope.replace(/\/\.default$/, ""));
      return { token, expiresOnTimestamp: expiresOn * 1000 };
    },
  };
}

/** Rejects with the error that SDKs expect as soon as `signal` aborts; never resolves. */
function whenAborted(signal: AbortSignalLike | undefined): { rejects: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const abort = () => reject(new AbortError("The operation was aborted."));
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  return { rejects: promise, forget: () => signal?.removeEventListener("abort", abort) };
}

class AbortError extends Error {
  override readonly name = "AbortError";
}

type AbortSignalLike = NonNullable<PipelineRequest["abortSignal"]>;

function toRequest(request: PipelineRequest): Request {
  const { method, url, body } = request;
  if (body !== undefined && body !== null && typeof body !== "string") {
    throw new TypeError("the in-memory client sends texts only");
  }
  return new Request(url, { method, headers: [...request.headers], body: body ?? null });
}

async function toPipeline(request: PipelineRequest, response: Response): Promise<PipelineResponse> {
  return {
    request,
    status: response.status,
    headers: createHttpHeaders(Object.fromEntries(response.headers)),
    bodyAsText: await response.text(),
  };
}

function sendError(request: PipelineRequest, code: string): RestError {
  return new RestError(`no answer from ${new URL(request.url).host}`, { code, request });
}
