import {
  type Attributes,
  type Span,
  type SpanKind,
  type Link,
  SpanStatusCode,
  context as otel,
  trace,
} from "@opentelemetry/api";
import { toFault } from "../errors.ts";

const tracer = trace.getTracer("keyturn");

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly links?: Link[];
}

/**
 * Runs `work` in a span and owns its start, failure and end. A failure is recorded by code, never by message: messages
 * of other systems can quote what they were sent.
 */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => Promise<T>,
  options: SpanOptions = {},
): Promise<T> {
  const span = tracer.startSpan(name, { attributes, ...options });
  try {
    return await otel.with(trace.setSpan(otel.active(), span), work, undefined, span);
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: toFault(error).code });
    throw error;
  } finally {
    span.end();
  }
}
