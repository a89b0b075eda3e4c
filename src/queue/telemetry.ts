import { type Context, ROOT_CONTEXT, type Span as OtelSpan, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Span, Telemetry } from "bullmq";
import { BullMQOtel, type BullMQOtelOptions } from "bullmq-otel";

export type QueueTelemetry = Telemetry<Context>;

/** Steps in the life of a job. BullMQ's housekeeping (lock renewal, stalled check) would be a trace each few seconds. */
const traced = new Set(["add", "process", "complete", "fail", "retry", "delay"]);

/** Options and results of jobs are also attributes; only these are let through. */
const allowed = new Set([
  "bullmq.queue.name",
  "bullmq.queue.operation",
  "bullmq.job.name",
  "bullmq.job.id",
  "bullmq.job.attempts.made",
  "bullmq.job.scheduler.id",
  "bullmq.worker.id",
]);

/**
 * bullmq-otel without its leaks: the stock adapter puts return values and error messages on span events. It also gets
 * what the stock one lacks: failed jobs are marked as failed, and background loops do not hang on to the trace that
 * happened to start them.
 */
export function safeTelemetry(options: BullMQOtelOptions): QueueTelemetry {
  const { tracer, contextManager, meter } = new BullMQOtel(options);
  return {
    ...(meter ? { meter } : {}),
    contextManager: {
      with: (context, work) => contextManager.with(context, work),
      active: () => contextManager.active(),
      root: () => ROOT_CONTEXT,
      getMetadata: (context) => contextManager.getMetadata(context),
      fromMetadata: (active, metadata) => contextManager.fromMetadata(active, metadata),
    },
    tracer: {
      startSpan: (name, spanOptions, context) =>
        traced.has(name.split(" ", 1)[0] ?? "")
          ? safeSpan(tracer.startSpan(name, spanOptions, context))
          : noSpan,
    },
  };
}

function safeSpan(inner: Span<Context>): Span<Context> {
  const span: OtelSpan | undefined = trace.getSpan(inner.setSpanOnContext(ROOT_CONTEXT));
  const fail = () => span?.setStatus({ code: SpanStatusCode.ERROR });
  return {
    setSpanOnContext: (context) => inner.setSpanOnContext(context),
    setAttribute: (key, value) => {
      if (allowed.has(key)) inner.setAttribute(key, value);
    },
    setAttributes: (attributes) =>
      inner.setAttributes(Object.fromEntries(Object.entries(attributes).filter(([key]) => allowed.has(key)))),
    addEvent: (name) => {
      if (name === "job failed") fail();
      inner.addEvent(name);
    },
    recordException: fail,
    end: () => inner.end(),
  };
}

/** Records nothing and leaves the context as it is, so that what runs inside keeps its parent. */
const noSpan: Span<Context> = {
  setSpanOnContext: (context) => context,
  setAttribute: () => {},
  setAttributes: () => {},
  addEvent: () => {},
  recordException: () => {},
  end: () => {},
};
