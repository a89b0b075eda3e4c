import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/clock.ts";
import {
  createHttpEndpoint,
  type EndpointAddress,
  type HttpEndpoint,
  type HttpEndpointSettings,
} from "../../src/providers/http/client.ts";
import { addIdentity } from "../local-azure/resources.ts";
import { serveHttp } from "../local-azure/serve.ts";
import { createState, type Identity } from "../local-azure/state.ts";
import { createCertificates } from "../local-azure/tls.ts";
import { createTokenAuthority } from "../local-azure/tokens.ts";
import { createExampleEndpoint, type System } from "./http-endpoint.ts";

export const audience = "api://6f1c1d3e-0f2b-4a61-9c55-3a1d2f9e7b10";

interface Received {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface HttpEndpointWithProvider extends AsyncDisposable {
  readonly address: EndpointAddress;
  readonly slots: Map<string, string | undefined>;
  /** Slots of which the system has not heard everywhere yet. */
  readonly spreading: Set<string>;
  /** What came in, in order. */
  readonly received: Received[];
  /** Answers the next call in place of the endpoint; the request is recorded all the same. */
  answerNext(answer: () => Response | Promise<Response>): void;
  /** A token of this identity, or of a stranger. */
  tokenOf(who: "keyturn" | "stranger", forAudience?: string): Promise<string>;
  /** The provider under test, as keyturn's identity, trusting the server's certificate. */
  http(settings?: Partial<HttpEndpointSettings>): HttpEndpoint;
}

/** The example endpoint on TLS, with tokens of the local authority, and the provider that talks to it. */
export async function startHttpEndpoint(): Promise<HttpEndpointWithProvider> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  const tls = await createCertificates(folder);
  await rm(folder, { recursive: true });
  const state = createState(systemClock);
  const tokens = await createTokenAuthority(state);
  const people: Record<"keyturn" | "stranger", Identity> = {
    keyturn: addIdentity(state, "keyturn"),
    stranger: addIdentity(state, "stranger"),
  };
  const slots = new Map<string, string | undefined>();
  const spreading = new Set<string>();
  const system: System = { slots, isSpreading: (slot) => spreading.has(slot) };
  const { keys } = await tokens.jwks();
  const endpoint = createExampleEndpoint({
    system,
    keys: { keys: keys.map((key) => ({ kty: "RSA", ...key })) },
    issuer: `https://sts.windows.net/${state.tenantId}/`,
    audience,
    caller: people.keyturn.principalId,
  });
  const received: Received[] = [];
  const answers: (() => Response | Promise<Response>)[] = [];
  const server = await serveHttp(
    async (request) => {
      const { pathname: path } = new URL(request.url);
      received.push({ path, headers: request.headers, body: await request.clone().text() });
      return (await answers.shift()?.()) ?? (await endpoint.fetch(request));
    },
    { tls: { key: tls.key, cert: tls.cert } },
  );
  const tokenOf: HttpEndpointWithProvider["tokenOf"] = async (who, forAudience = audience) =>
    (await tokens.issue(people[who], forAudience)).token;
  return {
    address: { url: server.url, audience },
    slots,
    spreading,
    received,
    answerNext: (answer) => answers.push(answer),
    tokenOf,
    http: (settings = {}) =>
      createHttpEndpoint({
        token: (wanted) => tokenOf("keyturn", wanted),
        ca: tls.ca.pem,
        ...settings,
      }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
