import { SpanKind } from "@opentelemetry/api";
import {
  createDefaultHttpClient,
  createPipelineFromOptions,
  createPipelineRequest,
  type HttpClient,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import { z } from "zod";
import type { Millis } from "../../clock.ts";
import { Fault } from "../../errors.ts";
import type { SecretValue } from "../../secret-value.ts";
import { attribute } from "../../telemetry/names.ts";
import { inSpan } from "../../telemetry/span.ts";
import { discard, readJson } from "./body.ts";
import { answerFault, callFault, malformed } from "./faults.ts";

/** An endpoint of the policy. Every call goes to exactly this URL, with a token for exactly this audience. */
export interface EndpointAddress {
  /** `https://...`, without a slash at the end. */
  readonly url: string;
  readonly audience: string;
}

interface EndpointCredential {
  /** `""`: the endpoint is asked for it. */
  readonly id: string;
  readonly value: SecretValue;
}

const Acceptance = z.enum(["accepted", "rejected", "unknown"]);

const Sighting = z.object({
  exists: z.array(z.string()),
  credentials: z.array(z.object({ acceptance: Acceptance, id: z.string().optional() })),
});
export type EndpointObservation = z.infer<typeof Sighting>;

/**
 * An endpoint of the user's own that speaks the protocol of `src/rotators/http.md`, for systems that keyturn does not
 * know. Each call is one request, never repeated and never redirected. Every method throws a `Fault` that quotes neither
 * a value nor anything that the endpoint wrote.
 */
export interface HttpEndpoint {
  /** One answer for each known credential, in the same order. */
  observe(
    address: EndpointAddress,
    known: readonly EndpointCredential[],
    signal: AbortSignal,
  ): Promise<EndpointObservation>;
  /** @throws Fault `propagation-pending` if the endpoint has taken it, but is not done yet */
  apply(address: EndpointAddress, credential: EndpointCredential, signal: AbortSignal): Promise<void>;
  /** @throws Fault `credential-rejected`, or `propagation-pending` */
  verify(address: EndpointAddress, credential: EndpointCredential, signal: AbortSignal): Promise<void>;
  /** @throws Fault `propagation-pending` if the endpoint has taken it, but is not done yet */
  revoke(address: EndpointAddress, id: string, signal: AbortSignal): Promise<void>;
}

export interface HttpEndpointSettings {
  /** An access token of keyturn's identity for this audience. */
  readonly token: (audience: string, signal: AbortSignal) => Promise<string>;
  /** Longest one call may last. Default 20 s. */
  readonly timeout?: Millis;
  readonly httpClient?: HttpClient;
  /** PEM of the authority to trust instead of Node's own. */
  readonly ca?: string;
}

/** Names of the calls; each is a path below the endpoint's URL. */
type EndpointCall = "observe" | "apply" | "verify" | "revoke";

export function createHttpEndpoint(settings: HttpEndpointSettings): HttpEndpoint {
  const send = createSender(settings);
  return {
    observe: (address, known, signal) =>
      inCall("observe", address, "", signal, async () => {
        const response = await send("observe", address, { credentials: known.map(reveal) }, signal);
        if (response.status !== 200) throw refusedBy("observe", address, response);
        const sighting = Sighting.safeParse(await readJson(response, address.url));
        if (sighting.success && sighting.data.credentials.length === known.length) return sighting.data;
        throw malformed(address.url);
      }),
    apply: (address, credential, signal) =>
      act("apply", address, credential.id, { credential: reveal(credential) }, signal),
    verify: (address, credential, signal) =>
      act("verify", address, credential.id, { credential: reveal(credential) }, signal),
    revoke: (address, id, signal) => act("revoke", address, id, { credential: { id } }, signal),
  };

  /** A call whose answer is its status. */
  function act(
    call: EndpointCall,
    address: EndpointAddress,
    id: string,
    body: object,
    signal: AbortSignal,
  ): Promise<void> {
    return inCall(call, address, id, signal, async () => {
      const response = await send(call, address, body, signal);
      const { status } = response;
      // What is gone lets nobody in.
      const isDone = status === 200 || status === 204 || (call === "revoke" && status === 410);
      if (!isDone) throw refusedBy(call, address, response);
      discard(response);
    });
  }
}

function refusedBy(call: EndpointCall, { url }: EndpointAddress, response: PipelineResponse): Fault {
  discard(response);
  return answerFault(call, url, response);
}

function reveal({ id, value }: EndpointCredential): object {
  return id === "" ? { value: value.reveal() } : { id, value: value.reveal() };
}

function createSender({ token, timeout = 20_000, httpClient, ca }: HttpEndpointSettings) {
  const client = httpClient ?? createDefaultHttpClient();
  // What comes back late or not at all is asked again by the queue, which waits without holding a lock.
  const pipeline = createPipelineFromOptions({
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 },
  });
  return async (
    call: EndpointCall,
    { url, audience }: EndpointAddress,
    body: object,
    abortSignal: AbortSignal,
  ): Promise<PipelineResponse> => {
    const request = createPipelineRequest({ method: "POST", url: `${url}/${call}`, timeout, abortSignal });
    request.headers.set("authorization", `Bearer ${await token(audience, abortSignal)}`);
    request.headers.set("content-type", "application/json");
    request.headers.set("accept", "application/json");
    request.body = JSON.stringify({ protocol: 1, ...body });
    // Whatever the status: nothing is read before its size is known to be small.
    request.streamResponseStatusCodes = new Set([Number.POSITIVE_INFINITY]);
    if (ca !== undefined) request.tlsSettings = { ca };
    return await pipeline.sendRequest(client, request);
  };
}

/** One span and one translation of errors for each call. */
function inCall<T>(
  call: EndpointCall,
  { url }: EndpointAddress,
  id: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const { hostname, port } = new URL(url);
  const attributes = {
    "server.address": hostname,
    "server.port": Number(port || 443),
    ...(id && { [attribute.credential]: id }),
  };
  const cancelled = () => new Fault("cancelled", `the call of ${url}/${call} was cancelled`);
  return inSpan(
    `HttpEndpoint.${call}`,
    attributes,
    async () => {
      try {
        if (signal.aborted) throw cancelled();
        return await work();
      } catch (error) {
        throw signal.aborted ? cancelled() : callFault(error, url);
      }
    },
    { kind: SpanKind.CLIENT },
  );
}
