import { createAzureSdkInstrumentation } from "@azure/opentelemetry-instrumentation-azure-sdk";
import * as coreTracing from "@azure/core-tracing";
import { context, diag, DiagLogLevel, type Meter, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, Millis } from "../clock.ts";
import type { Log } from "../log.ts";
import { exportSafely } from "./safe-spans.ts";
import type { Scrubber } from "./scrubber.ts";
import { readTelemetrySettings, type TelemetryEnvironment, type TelemetrySettings } from "./settings.ts";

export interface Telemetry extends AsyncDisposable {
  readonly meter: Meter;
  /** Answers with the metrics in Prometheus' format; absent when telemetry is switched off. */
  readonly metricsHandler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Sends what is left, for at most five seconds: a collector that is gone must not hold up the end. */
  shutdown(): Promise<void>;
}

export interface TelemetryOptions {
  /** The `OTEL_*` variables. The OTLP exporter reads further ones (headers, certificates) on its own. */
  readonly environment: TelemetryEnvironment;
  readonly scrubber: Scrubber;
  readonly clock: Clock;
  readonly log: Log;
}

const shutdownLimit: Millis = 5_000;

/**
 * Sets up traces and metrics for the whole process; before anything opens a connection, since callbacks of a socket run
 * in the trace that opened it. Hand-picked parts without module patching, so that a bundle behaves alike.
 * @throws Fault `invalid-config`
 */
export function startTelemetry({ environment, scrubber, clock, log }: TelemetryOptions): Telemetry {
  const settings = readTelemetrySettings(environment);
  if (settings.disabled) return disabled;
  reportTo(log);
  const resource = resourceFromAttributes(settings.resource);
  const exporter = createExporter(settings);
  const spanProcessors = exporter ? [batches(exportSafely(exporter, scrubber), settings)] : [];
  const tracers = new TracerProvider({ resource, spanProcessors, sampler: createSampler(settings) });
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const meters = new MeterProvider({ resource, readers: [prometheus] });

  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  traceAzureSdk();

  async function shutdown(): Promise<void> {
    const inTime = new AbortController();
    const ended = Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
    const limit = clock.sleep(shutdownLimit, inTime.signal).catch(() => undefined);
    await Promise.race([ended, limit]);
    inTime.abort();
  }
  return {
    meter: meters.getMeter("keyturn"),
    metricsHandler: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}

const disabled: Telemetry = {
  meter: metrics.getMeter("keyturn"),
  metricsHandler: undefined,
  shutdown: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

/** OTLP as JSON, which a collector takes on the same port as protobuf. */
function createExporter(settings: TelemetrySettings): SpanExporter | undefined {
  const { exporter, url } = settings;
  if (exporter === "none") return undefined;
  if (exporter === "console") return new ConsoleSpanExporter();
  return new OTLPTraceExporter(url ? { url } : {});
}

function batches(exporter: SpanExporter, settings: TelemetrySettings): BatchSpanProcessor {
  const { scheduleDelay, exportTimeout } = settings;
  return new BatchSpanProcessor({
    exporter,
    ...(scheduleDelay && { scheduledDelayMillis: scheduleDelay }),
    ...(exportTimeout && { exportTimeoutMillis: exportTimeout }),
  });
}

function createSampler({ sampler, ratio }: TelemetrySettings): Sampler {
  const root = createRootSampler(sampler.replace("parentbased_", ""), ratio);
  return sampler.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}

function createRootSampler(kind: string, ratio: number): Sampler {
  if (kind === "traceidratio") return new TraceIdRatioBasedSampler(ratio);
  return kind === "always_off" ? new AlwaysOffSampler() : new AlwaysOnSampler();
}

interface Patching {
  init(): { patch(module: unknown): unknown };
}

/** Directly, without import hooks: those see neither a bundle nor ESM imports that ran before. */
function traceAzureSdk(): void {
  const instrumentation: object = createAzureSdkInstrumentation({ enabled: false });
  if (!isPatching(instrumentation)) throw new TypeError("the Azure SDK's instrumentation has changed");
  instrumentation.init().patch(coreTracing);
}

function isPatching(instrumentation: object): instrumentation is Patching {
  return "init" in instrumentation && typeof instrumentation.init === "function";
}

/** What the SDK itself complains of, cut short: it quotes answers of collectors. */
function reportTo(log: Log): void {
  const warn = (message: string) => log.warn({ detail: message.slice(0, 200) }, "telemetry has a problem");
  diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN);
}

function ignore(): void {}
