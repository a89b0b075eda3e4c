import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { EndpointObservation } from "../../../src/providers/http/client.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { serveHttp } from "../../local-azure/serve.ts";
import {
  audience,
  type HttpEndpointWithProvider,
  startHttpEndpoint,
} from "../../support/http-endpoint-provider.ts";

let endpoint: HttpEndpointWithProvider;

const never = new AbortController().signal;
const credential = { id: "key", value: new SecretValue("canary-in-a-value") };

beforeAll(async () => {
  endpoint = await startHttpEndpoint();
});

beforeEach(() => {
  endpoint.slots.clear();
  endpoint.slots.set("key", undefined);
  endpoint.received.length = 0;
});

afterAll(() => endpoint[Symbol.asyncDispose]());

function apply(settings = {}, signal = never): Promise<void> {
  return endpoint.http(settings).apply(endpoint.address, credential, signal);
}

function observe(settings = {}): Promise<EndpointObservation> {
  return endpoint.http(settings).observe(endpoint.address, [credential], never);
}

test("every call is a POST below the url, with a token for the audience and the protocol's version", async () => {
  const provider = endpoint.http();
  await provider.observe(endpoint.address, [credential, { id: "", value: credential.value }], never);
  await provider.apply(endpoint.address, credential, never);
  await provider.verify(endpoint.address, credential, never);
  await provider.revoke(endpoint.address, "key", never);
  const known = { id: "key", value: "canary-in-a-value" };
  expect(endpoint.received.map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
    ["/observe", { protocol: 1, credentials: [known, { value: "canary-in-a-value" }] }],
    ["/apply", { protocol: 1, credential: known }],
    ["/verify", { protocol: 1, credential: known }],
    ["/revoke", { protocol: 1, credential: { id: "key" } }],
  ]);
  for (const { headers } of endpoint.received) {
    const [, payload = ""] = (headers.get("authorization") ?? "").replace(/^Bearer /, "").split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({ aud: audience });
  }
});

describe("an answer", () => {
  test.each([
    ["apply", 202, "propagation-pending"],
    ["apply", 422, "credential-rejected"],
    ["apply", 410, "target-missing"],
    ["verify", 202, "propagation-pending"],
    ["verify", 422, "credential-rejected"],
    ["revoke", 202, "propagation-pending"],
    ["revoke", 422, "unexpected-response"],
    ["revoke", 404, "not-found"],
    ["observe", 202, "unexpected-response"],
    ["observe", 204, "unexpected-response"],
    ["observe", 422, "unexpected-response"],
    ["observe", 401, "unauthenticated"],
    ["observe", 403, "forbidden"],
    ["apply", 409, "unavailable"],
    ["apply", 429, "throttled"],
    ["apply", 500, "unavailable"],
    ["apply", 400, "unexpected-response"],
    ["apply", 201, "unexpected-response"],
  ] as const)("to %s of %i is %s, without the endpoint's text", async (call, status, code) => {
    const body = status === 204 ? null : "canary-in-a-value";
    endpoint.answerNext(() => new Response(body, { status }));
    const provider = endpoint.http();
    const acts = {
      observe: () => provider.observe(endpoint.address, [credential], never),
      apply: () => provider.apply(endpoint.address, credential, never),
      verify: () => provider.verify(endpoint.address, credential, never),
      revoke: () => provider.revoke(endpoint.address, "key", never),
    };
    const error: unknown = await acts[call]().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(`/${call} answered ${status}`);
    expect(inspect(error)).not.toContain("canary");
    expect(endpoint.received).toHaveLength(1);
  });

  test("that a slot is gone is success for revoking only", async () => {
    endpoint.answerNext(() => new Response(null, { status: 410 }));
    await expect(endpoint.http().revoke(endpoint.address, "key", never)).resolves.toBeUndefined();
  });

  test("may say when to come again", async () => {
    endpoint.answerNext(() => new Response(null, { status: 429, headers: { "retry-after": "120" } }));
    await expect(apply()).rejects.toMatchObject({ code: "throttled", retryAfter: 120_000 });
  });

  test.each([
    ["is no JSON", "canary-in-a-value"],
    ["misses a field", { credentials: [] }],
    ["has fewer entries than were asked about", { exists: [], credentials: [] }],
    [
      "has more entries",
      { exists: [], credentials: [{ acceptance: "accepted" }, { acceptance: "accepted" }] },
    ],
    ["has an unknown word", { exists: [], credentials: [{ acceptance: "canary" }] }],
    ["is too large", { exists: [], credentials: [{ acceptance: "accepted" }], more: "x".repeat(20_000) }],
  ])("to look that %s is refused", async (_what, body) => {
    endpoint.answerNext(() => new Response(typeof body === "string" ? body : JSON.stringify(body)));
    const act = observe();
    await expect(act).rejects.toMatchObject({ code: "unexpected-response" });
    await expect(act).rejects.not.toMatchObject({ message: expect.stringContaining("canary") });
  });

  test("with fields that the protocol does not know yet is understood", async () => {
    const body = { exists: ["key"], credentials: [{ acceptance: "unknown", since: 1 }], version: 2 };
    endpoint.answerNext(() => Response.json(body));
    expect(await observe()).toEqual({ exists: ["key"], credentials: [{ acceptance: "unknown" }] });
  });
});

test("a redirect is not followed, neither to another host nor on the same", async () => {
  const elsewhere = await startHttpEndpoint();
  const targets = [`${elsewhere.address.url}/apply`, `${endpoint.address.url}/elsewhere`, "/elsewhere"];
  const statuses = [301, 302, 307, 308];
  for (const location of targets) {
    for (const status of statuses) {
      endpoint.answerNext(() => new Response(null, { status, headers: { location } }));
      await expect(apply()).rejects.toMatchObject({ code: "unexpected-response" });
    }
  }
  await elsewhere[Symbol.asyncDispose]();
  expect(elsewhere.received).toEqual([]);
  expect(new Set(endpoint.received.map(({ path }) => path))).toEqual(new Set(["/apply"]));
});

test("a token for another audience, of somebody else or of nobody is refused by the example endpoint", async () => {
  const other = await endpoint.tokenOf("keyturn", "api://another");
  await expect(apply({ token: async () => other })).rejects.toMatchObject({ code: "unauthenticated" });
  await expect(apply({ token: async () => "no-token" })).rejects.toMatchObject({ code: "unauthenticated" });
  const stranger = await endpoint.tokenOf("stranger");
  await expect(apply({ token: async () => stranger })).rejects.toMatchObject({ code: "forbidden" });
  expect(endpoint.slots.get("key")).toBeUndefined();
});

test("a server without a certificate that is trusted gets nothing", async () => {
  const act = endpoint.http({ ca: "" }).apply(endpoint.address, credential, never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("nothing was sent"),
  });
  expect(endpoint.received).toEqual([]);
});

test("an endpoint that is gone, or cuts the connection, or says nothing is unavailable", async () => {
  const gone = await serveHttp(async () => new Response());
  await gone.close();
  const absent = { ...endpoint.address, url: gone.url.replace("http:", "https:") };
  await expect(endpoint.http().revoke(absent, "key", never)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
  const { promise, resolve } = Promise.withResolvers<Response>();
  endpoint.answerNext(() => promise);
  await expect(apply({ timeout: 1_000 })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("in time"),
  });
  resolve(new Response());
});

test("abort ends a call that waits for its answer", async () => {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<Response>();
  endpoint.answerNext(() => {
    controller.abort();
    return promise;
  });
  await expect(apply({}, controller.signal)).rejects.toMatchObject({ code: "cancelled" });
  resolve(new Response());
});
