import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino, type DestinationStream, type Logger } from "pino";

export type Log = Logger;

/** The program's one logger: JSON lines with trace ids. `destination` is stdout unless a test gives its own. */
export function createLog(level: string, destination?: DestinationStream): Log {
  return pino(
    { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime, mixin: traceIds },
    destination ?? pino.destination(1),
  );
}

function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
