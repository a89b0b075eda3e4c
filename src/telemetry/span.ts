import {
  type Attributes,
  type Span,
  type SpanKind,
  type Link,
  SpanStatusCode,
  context as otel,
  trace,
} from "@opentelemetry/api";
import { type FaultCode, toFault } from "../errors.ts";
import { attribute } from "./names.ts";

const tracer = trace.getTracer("keyturn");

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly links?: Link[];
}

/** By code, never by message. */
export function markFailed(span: Span, code: FaultCode): void {
  span.setAttribute(attribute.errorType, code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
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
    markFailed(span, toFault(error).code);
    throw error;
  } finally {
    span.end();
  }
}
