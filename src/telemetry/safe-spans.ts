import { type Attributes, type Link, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter, TimedEvent } from "@opentelemetry/sdk-trace";
import { faultCodes } from "../errors.ts";
import type { Scrubber } from "./scrubber.ts";

/** Attributes that may leave the process; a name ending in a dot stands for all below it. Everything else is dropped. */
const allowed: readonly string[] = [
  "keyturn.",
  "http.request.method",
  "http.request.resend_count",
  "http.response.status_code",
  "http.method",
  "http.status_code",
  "http.url",
  "url.full",
  "url.path",
  "url.scheme",
  "server.",
  "net.peer.",
  "network.",
  "messaging.",
  "az.",
  "db.system",
  "db.system.name",
  "db.operation",
  "db.operation.name",
  "db.name",
  "db.namespace",
  "rpc.",
  "error.type",
  "exception.type",
  "otel.",
  "service",
  "service.",
  "serviceRequestId",
  "bullmq.queue.name",
  "bullmq.queue.operation",
  "bullmq.job.name",
  "bullmq.job.id",
  "bullmq.job.ids",
  "bullmq.job.type",
  "bullmq.job.state",
  "bullmq.job.attempts.made",
  "bullmq.job.deduplication.key",
  "bullmq.job.scheduler.id",
  "bullmq.worker.name",
  "bullmq.worker.id",
];
const exact = new Set(allowed.filter((name) => !name.endsWith(".")));
const prefixes = allowed.filter((name) => name.endsWith("."));

/** Attributes whose value is an address: only its origin and path are kept. */
const addresses = new Set(["http.url", "url.full"]);

/**
 * Exports copies of the spans that hold nothing but allowed attributes and no known value. The messages of errors are
 * left out altogether: SDKs put the server's text there, and servers quote what they were sent.
 */
export function exportSafely(exporter: SpanExporter, scrubber: Scrubber): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(
        spans.map((span) => safeSpan(span, scrubber)),
        done,
      ),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}

/** Field by field, because the fields of a span are partly getters and methods of its class. */
function safeSpan(span: ReadableSpan, { scrub }: Scrubber): ReadableSpan {
  const context = span.spanContext();
  return {
    name: scrub(span.name),
    kind: span.kind,
    spanContext: () => context,
    ...(span.parentSpanContext && { parentSpanContext: span.parentSpanContext }),
    startTime: span.startTime,
    endTime: span.endTime,
    status: safeStatus(span.status),
    attributes: safeAttributes(span.attributes, scrub),
    links: span.links.map((link) => safeLink(link, scrub)),
    events: span.events.map((event) => safeEvent(event, scrub)),
    duration: span.duration,
    ended: span.ended,
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

function safeStatus({ code, message }: ReadableSpan["status"]): ReadableSpan["status"] {
  const isCode = message !== undefined && Object.hasOwn(faultCodes, message);
  return code === SpanStatusCode.ERROR && isCode ? { code, message } : { code };
}

type Scrub = Scrubber["scrub"];

function safeEvent(event: TimedEvent, scrub: Scrub): TimedEvent {
  const { attributes } = event;
  return {
    time: event.time,
    name: scrub(event.name),
    ...(attributes && { attributes: safeAttributes(attributes, scrub) }),
  };
}

function safeLink(link: Link, scrub: Scrub): Link {
  const { attributes } = link;
  return { context: link.context, ...(attributes && { attributes: safeAttributes(attributes, scrub) }) };
}

function safeAttributes(attributes: Attributes, scrub: Scrub): Attributes {
  const kept = Object.entries(attributes).filter(([name]) => isAllowed(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, safeValue(name, value, scrub)]));
}

function isAllowed(name: string): boolean {
  return exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** Texts, numbers, booleans and lists of them; nested values would need rules of their own. */
function safeValue(name: string, value: Attributes[string], scrub: Scrub): Attributes[string] {
  if (typeof value === "string") return scrub(addresses.has(name) ? withoutQuery(value) : value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  return Array.isArray(value) ? value.map((item) => safeValue(name, item, scrub)) : undefined;
}

function withoutQuery(address: string): string {
  if (!URL.canParse(address)) return "[address]";
  const { origin, pathname } = new URL(address);
  return origin === "null" ? "[address]" : origin + pathname;
}
