import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino, type DestinationStream, type Logger } from "pino";
import { reportError } from "./error-report.ts";

export type Log = Logger;

/**
 * The program's one logger: JSON lines with trace ids. Errors are logged by name, code and place; the message only of our
 * own faults. `destination` is stdout unless a test gives its own; `scrub` sees every line before it is written.
 */
export function createLog(
  level: string,
  destination?: DestinationStream,
  scrub: (line: string) => string = (line) => line,
): Log {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: traceIds,
      formatters: { log: withoutErrors },
      serializers: { err: withoutError },
      hooks: { streamWrite: scrub, logMethod: callSafely },
    },
    destination ?? pino.destination(1),
  );
}

/** pino would take the message of an error as the line's, and print one given as an argument in full. */
function callSafely(this: Log, args: Parameters<pino.LogFn>, method: pino.LogFn): void {
  const [first, ...rest]: unknown[] = args;
  const fields = first instanceof Error ? { err: first } : first;
  const hasError = typeof fields === "object" && fields !== null && "err" in fields;
  const texts = hasError && rest[0] === undefined ? ["error"] : rest.map(withoutError);
  Reflect.apply(method, this, [fields, ...texts]);
}

function withoutErrors(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, withoutError(value)]));
}

function withoutError(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutError);
  return value instanceof Error ? reportError(value) : value;
}

function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
