import { propagation, trace, context } from "@opentelemetry/api";
import { setDefaultCACertificates, getCACertificates } from "node:tls";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKeyVault, type KeyVault } from "../../src/azure/key-vault.ts";
import { systemClock } from "../../src/clock.ts";
import { startProbes } from "../../src/probes.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { createAudit } from "../../src/telemetry/audit.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createScrubber } from "../../src/telemetry/scrubber.ts";
import { inSpan } from "../../src/telemetry/span.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry/start.ts";
import { inMemoryCredential, inMemoryHttpClient } from "../local-azure/in-memory-client.ts";
import { startAzure, type LocalAzure } from "../local-azure/index.ts";
import { addIdentity } from "../local-azure/resources.ts";
import { captureLog } from "../support/capture-log.ts";
import { attributeOf, startSpanReceiver, type Span, type SpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";

/** The scrubber learns it as it is published. */
const canary = "Canary-7f3a9b2c5d8e1f4a";
/** The scrubber never hears of it: only what is dropped as a whole is safe. */
const stranger = "Stranger-0d1c2b3a4f5e6d7c";

describe("telemetry of the whole process", () => {
  let azure: LocalAzure;
  let receiver: SpanReceiver;
  let telemetry: Telemetry;
  let vault: KeyVault;
  const scrubber = createScrubber({ clock: systemClock });
  const { log, written, lines } = captureLog(scrubber.scrub);

  const arrived = (name: string): Promise<Span> =>
    until(`the span ${name} arrives`, () => receiver.spans.find((span) => span.name === name));

  beforeAll(async () => {
    azure = await startAzure();
    setDefaultCACertificates([...getCACertificates("default"), azure.ca.pem]);
    receiver = await startSpanReceiver();
    telemetry = startTelemetry({
      environment: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_BSP_SCHEDULE_DELAY: "20",
        OTEL_SERVICE_NAME: "keyturn-test",
      },
      scrubber,
      clock: systemClock,
      log,
    });
    const identity = addIdentity(azure.state, "worker");
    const { id, name, url } = await azure.addVault("prod-kv");
    azure.grant(identity.principalId, "Keyturn Secrets", id);
    const credential = inMemoryCredential(azure.tokens, identity);
    vault = createKeyVault({ name, url, credential, verifyChallenge: false, learn: scrubber.learn });
  });
  afterAll(async () => {
    await telemetry?.shutdown();
    await receiver?.close();
    await azure?.close();
  });

  it("puts an operation, the SDK's own span and its request into one trace", async () => {
    await inSpan("rotate", { "keyturn.secret": "prod-kv/a" }, async () => {
      await vault.publish("a", { value: new SecretValue(canary), tags: {} });
    });
    const root = await arrived("rotate");
    const publish = await arrived("KeyVault.publish");
    const sdk = await arrived("SecretClient.setSecret");
    expect([publish.traceId, sdk.traceId]).toEqual([root.traceId, root.traceId]);
    expect([publish.parentSpanId, sdk.parentSpanId]).toEqual([root.spanId, publish.spanId]);
    expect(attributeOf(publish, "keyturn.vault")).toBe("prod-kv");
    expect(attributeOf(publish, "keyturn.secret")).toBe("prod-kv/a");
    const request = await arrived("HTTP PUT");
    expect(request.traceId).toBe(root.traceId);
    expect(attributeOf(request, "http.url") ?? attributeOf(request, "url.full")).toMatch(/\/secrets\/a$/);
    expect(receiver.raw.join("")).toContain("keyturn-test");
  });

  it("leaks no value that a server quotes in its error: not in the fault, the log, or any span", async () => {
    const challenge = 'Bearer authorization="https://login.test/t", resource="https://vault.azure.net"';
    const message = `value '${canary}', ${btoa(canary)} and ${stranger}: no`;
    const quote = { code: "BadParameter", message, innererror: { code: "X", message: stranger } };
    const quoting = async ({ headers }: Request) =>
      headers.has("authorization")
        ? Response.json({ error: quote }, { status: 400 })
        : Response.json({ error: quote }, { status: 401, headers: { "www-authenticate": challenge } });
    const bad = createKeyVault({
      name: "bad-kv",
      url: "https://bad-kv.vault.azure.net",
      credential: inMemoryCredential(azure.tokens, addIdentity(azure.state, "other")),
      verifyChallenge: true,
      client: { httpClient: inMemoryHttpClient(new Map([["bad-kv.vault.azure.net", quoting]])) },
    });
    const fault: unknown = await inSpan("leak", {}, async () => {
      try {
        return await bad.latest("a");
      } catch (error) {
        log.error({ err: error }, "could not read");
        log.error(error);
        trace.getActiveSpan()?.recordException(new Error(`quoting ${stranger}`));
        trace.getActiveSpan()?.setAttribute("keyturn.reason", `because of ${canary}`);
        createAudit(log)({ action: "publish", outcome: "failed", secret: "bad-kv/a", reason: canary });
        return error;
      }
    });
    expect(fault).toMatchObject({ code: "unexpected-response" });
    await arrived("leak");
    await arrived("SecretClient.getSecret");
    const seen = [
      inspect(fault, { depth: 20, showHidden: true }),
      JSON.stringify(fault),
      ...written,
      ...receiver.raw,
    ];
    expect(seen.join("\n")).toContain("BadParameter");
    for (const form of [canary, stranger, btoa(canary).replace(/=+$/, "")])
      expect(seen.join("\n")).not.toContain(form);
  });

  it("writes the ids of the trace into every log line", async () => {
    await inSpan("logged", {}, async () => {
      log.info("inside");
      const carrier: Record<string, string> = {};
      propagation.inject(context.active(), carrier);
      const [, traceId, spanId] = carrier["traceparent"]?.split("-") ?? [];
      expect(lines().at(-1)).toMatchObject({ msg: "inside", trace_id: traceId, span_id: spanId });
    });
  });

  it("offers the metrics to the probes' port", async () => {
    const metrics = createMetrics(telemetry.meter, systemClock);
    metrics.jobEnded("rotate-secret", { outcome: "done" }, 10);
    metrics.secretSeen("prod-kv/a", { expiresAt: systemClock.now() + 86_400_000 });
    await using probes = await startProbes({
      port: 0,
      bind: "127.0.0.1",
      checks: {},
      alive: () => true,
      metricsHandler: telemetry.metricsHandler,
      clock: systemClock,
      log,
    });
    const answer = await (await fetch(`http://127.0.0.1:${probes.port}/metrics`)).text();
    expect(answer).toMatch(/keyturn_jobs_total\{.*keyturn_stage="rotate-secret".*\} 1/);
    expect(answer).toMatch(/keyturn_secret_expiry\w*\{.*keyturn_secret="prod-kv\/a".*\} (1|0\.99)/);
  });

  it("sends at the end what has not been sent yet", async () => {
    await inSpan("last", {}, async () => undefined);
    await telemetry.shutdown();
    expect(receiver.spans.some(({ name }) => name === "last")).toBe(true);
  });
});
