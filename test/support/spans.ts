import { createServer } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { z } from "zod";

const Value = z.object({ stringValue: z.string().optional(), intValue: z.coerce.number().optional() });

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number().optional(),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes: z.array(z.object({ key: z.string(), value: Value })).default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.object({ code: z.number().optional(), message: z.string().optional() }).optional(),
});
export type Span = z.infer<typeof Span>;

const Export = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(Span) })) })).default([]),
});

/** A collector that keeps what it is sent: OTLP over HTTP as JSON, gzip or plain. */
export interface SpanReceiver extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: Span[];
  /** Everything that was received, as it came, to search for what must not be there. */
  readonly raw: string[];
  close(): Promise<void>;
}

export async function startSpanReceiver(): Promise<SpanReceiver> {
  const spans: Span[] = [];
  const raw: string[] = [];
  const server = createServer((request, response) => {
    const body = request.headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request;
    text(body).then(
      (received) => {
        raw.push(received);
        if (request.url?.endsWith("/v1/traces")) {
          const { resourceSpans } = Export.parse(JSON.parse(received));
          spans.push(
            ...resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans)),
          );
        }
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      },
      () => response.writeHead(400).end(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the span receiver has no port");
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${address.port}`, spans, raw, close, [Symbol.asyncDispose]: close };
}

export function attributeOf(span: Span, key: string): string | number | undefined {
  const value = span.attributes.find((attribute) => attribute.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
}

/** One trace as an indented tree, in the order of time; `keep` drops spans, whose children move up. */
export function traceTree(
  spans: readonly Span[],
  traceId: string,
  keep: (span: Span) => boolean = () => true,
): string[] {
  const mine = spans.filter((span) => span.traceId === traceId);
  const known = new Set(mine.map(({ spanId }) => spanId));
  const byParent = Map.groupBy(mine, ({ parentSpanId }) =>
    parentSpanId && known.has(parentSpanId) ? parentSpanId : "",
  );
  const lines: string[] = [];
  const walk = (parent: string, depth: number) => {
    const children = (byParent.get(parent) ?? []).toSorted((a, b) =>
      a.startTimeUnixNano < b.startTimeUnixNano ? -1 : 1,
    );
    for (const span of children) {
      const shown = keep(span);
      if (shown)
        lines.push(
          `${"  ".repeat(depth)}${labelOf(span)}  ${millis(span)} ms${span.status?.code === 2 ? "  failed" : ""}`,
        );
      walk(span.spanId, shown ? depth + 1 : depth);
    }
  };
  walk("", 0);
  return lines;
}

/** Names of spans do not tell of which secret or group they are: their attributes do. */
function labelOf(span: Span): string {
  const subjects: Readonly<Record<string, string>> = {
    "rotate secret": "keyturn.secret",
    "restart group": "keyturn.group",
  };
  const subject = attributeOf(span, subjects[span.name] ?? "");
  return [span.name, ...(subject === undefined ? [] : [String(subject).replace(/^\/.*\//, "")])].join(" ");
}

function millis({ startTimeUnixNano, endTimeUnixNano }: Span): string {
  return (Number(endTimeUnixNano - startTimeUnixNano) / 1e6).toFixed(0);
}
