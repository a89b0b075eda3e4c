import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cryptoRandomInt } from "../../src/providers/password/generate.ts";
import { http } from "../../src/rotators/http.ts";
import { describeRotator } from "../support/describe-rotator.ts";
import { type HttpEndpointWithProvider, startHttpEndpoint } from "../support/http-endpoint-provider.ts";
import { providersWith } from "../support/providers.ts";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

let endpoint: HttpEndpointWithProvider;
let turn = 0;

beforeAll(async () => {
  endpoint = await startHttpEndpoint();
});

afterAll(() => endpoint[Symbol.asyncDispose]());

function targetWith(count: number): Record<string, unknown> & { slots: string[] } {
  turn += 1;
  const slots = ["a", "b"].slice(0, count).map((slot) => `key-${turn}-${slot}`);
  for (const slot of slots) endpoint.slots.set(slot, undefined);
  return { ...endpoint.address, slots };
}

function providers() {
  return providersWith({ http: endpoint.http() });
}

function context() {
  return { providers: providers(), now: Date.now(), signal: new AbortController().signal };
}

for (const count of [1, 2])
  describeRotator(`http with ${count} slot(s)`, {
    rotator: http,
    target: async () => targetWith(count),
    providers,
    written: async () =>
      exporter
        .getFinishedSpans()
        .map((span) => inspect(span, { depth: 6 }))
        .join("\n"),
  });

describe("http", () => {
  test("a value whose text does not tell its slot is found by the endpoint; others are in none", async () => {
    const bound = http.on(targetWith(2));
    const [one = "", two = ""] = bound.slots;
    const held = bound.choose(two, cryptoRandomInt);
    await bound.apply(held, context());
    const known = [
      { id: "", value: held.value },
      { id: "", value: bound.choose(one, cryptoRandomInt).value },
    ];
    expect(await bound.observe(known, context())).toEqual({
      exists: [one, two],
      accepts: ["accepted", "rejected"],
      ids: [two, undefined],
    });
  });

  test("a slot the endpoint names that is not of the target is as good as none", async () => {
    const [other = ""] = http.on(targetWith(1)).slots;
    const bound = http.on(targetWith(2));
    const foreign = bound.choose(bound.slots[0] ?? "", cryptoRandomInt);
    endpoint.slots.set(other, foreign.value.reveal());
    const sighting = await bound.observe([{ id: "", value: foreign.value }], context());
    expect(sighting.ids).toEqual([undefined]);
    expect(sighting.exists).toEqual(bound.slots);
  });

  test("a change that spreads is pending, and settles when asked again", async () => {
    const bound = http.on(targetWith(1));
    const [slot = ""] = bound.slots;
    const credential = bound.choose(slot, cryptoRandomInt);
    endpoint.spreading.add(slot);
    const pending = { code: "propagation-pending" };
    await expect(bound.apply(credential, context())).rejects.toMatchObject(pending);
    await expect(bound.verify(credential, context())).rejects.toMatchObject(pending);
    expect((await bound.observe([credential], context())).accepts).toEqual(["unknown"]);
    await expect(bound.revoke(slot, context())).rejects.toMatchObject(pending);
    endpoint.spreading.delete(slot);
    await bound.apply(credential, context());
    await bound.verify(credential, context());
    await bound.revoke(slot, context());
    expect((await bound.observe([credential], context())).accepts).toEqual(["rejected"]);
  });

  test("a slot that the endpoint does not have needs a person, but revoking it is success", async () => {
    const bound = http.on({ ...targetWith(1), slots: ["gone"] });
    const credential = bound.choose("gone", cryptoRandomInt);
    const missing = { code: "target-missing", message: expect.stringContaining("slots") };
    expect((await bound.observe([credential], context())).exists).toEqual([]);
    await expect(bound.apply(credential, context())).rejects.toMatchObject(missing);
    await expect(bound.verify(credential, context())).rejects.toMatchObject(missing);
    await expect(bound.revoke("gone", context())).resolves.toBeUndefined();
  });

  test("each operation is one client span with server and slot", async () => {
    const bound = http.on(targetWith(1));
    const credential = bound.choose(bound.slots[0] ?? "", cryptoRandomInt);
    exporter.reset();
    await bound.apply(credential, context());
    await bound.observe([credential], context());
    const spans = exporter.getFinishedSpans().filter(({ name }) => name.startsWith("HttpEndpoint."));
    expect(spans.map(({ name }) => name)).toEqual(["HttpEndpoint.apply", "HttpEndpoint.observe"]);
    expect(spans[0]?.attributes).toEqual({
      "server.address": "localhost",
      "server.port": Number(new URL(endpoint.address.url).port),
      "keyturn.credential": credential.id,
    });
  });
});
