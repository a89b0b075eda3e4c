import * as coreTracing from "@azure/core-tracing";
import { createAzureSdkInstrumentation } from "@azure/opentelemetry-instrumentation-azure-sdk";
import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { inspect } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { entraClientSecret } from "../../src/rotators/entra-client-secret.ts";
import { addPassword } from "../local-azure/resources.ts";
import { describeRotator, leakOf, suiteLabel } from "../support/describe-rotator.ts";
import { type GraphInMemory, graphInMemory } from "../support/graph-in-memory.ts";
import { providersWith } from "../support/providers.ts";
import { SecretValue } from "../../src/secret-value.ts";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
traceAzureSdk();

let world: GraphInMemory;

beforeAll(async () => {
  world = await graphInMemory();
});

async function target(): Promise<Record<string, unknown>> {
  const { objectId, appId } = world.addApplication("orders-api");
  return { tenant: world.state.tenantId, application: objectId, client: appId };
}

/** The spans, the pipeline's own among them, and the record of calls. */
async function written(): Promise<string> {
  const spans = exporter.getFinishedSpans().map((span) => inspect(span, { depth: 6 }));
  return [JSON.stringify(world.state.calls), ...spans].join("\n");
}

function context() {
  return {
    providers: providersWith({ graph: world.graph }),
    now: Date.now(),
    signal: new AbortController().signal,
    label: suiteLabel,
  };
}

describeRotator("entra-client-secret", {
  rotator: entraClientSecret,
  target,
  providers: () => context().providers,
  written,
});

describe("entra-client-secret", () => {
  test("each operation is one span of ours, with ids and without names or values", async () => {
    const bound = entraClientSecret.on(await target());
    exporter.reset();
    const { id, value } = await bound.mint(
      { slot: "", label: `${suiteLabel}:r-1`, expiresAt: Date.now() + 90 * 86_400_000 },
      context(),
    );
    await bound.verify({ id, value }, context());
    await bound.revoke(id, context());
    const spans = exporter.getFinishedSpans().filter(({ name }) => /^(Graph|Entra)\./.test(name));
    expect(spans.map(({ name }) => name)).toEqual([
      "Graph.application",
      "Graph.addPassword",
      "Entra.signIn",
      "Graph.removePassword",
    ]);
    expect(spans.at(-1)?.attributes).toEqual({
      "server.address": "graph.microsoft.com",
      "keyturn.resource": expect.any(String),
      "keyturn.credential": id,
    });
    expect(leakOf(value, await written())).toBeUndefined();
  });

  test("the leak check sees what the pipeline writes: its own spans are there", async () => {
    exporter.reset();
    const bound = entraClientSecret.on(await target());
    const application = [...world.state.applications.values()].at(-1);
    if (!application) throw new Error("no application");
    const { value } = addPassword(world.state, application);
    await bound.observe([{ id: "", value: new SecretValue(value) }], context());
    const names = exporter.getFinishedSpans().map(({ name }) => name);
    expect(names).toContain("HTTP POST");
    expect(names).toContain("HTTP GET");
  });
});

/** As the worker does it. */
function traceAzureSdk(): void {
  const instrumentation: object = createAzureSdkInstrumentation({ enabled: false });
  const init: unknown = Reflect.get(instrumentation, "init");
  if (typeof init !== "function") throw new TypeError("the Azure SDK's instrumentation has changed");
  const patch: unknown = Reflect.get(Reflect.apply(init, instrumentation, []), "patch");
  if (typeof patch === "function") Reflect.apply(patch, undefined, [coreTracing]);
}
