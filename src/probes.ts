import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { Clock, Millis } from "./clock.ts";
import { Fault, toFault, type FaultCode } from "./errors.ts";
import type { Log } from "./log.ts";

/** Throws, best a `Fault`, if what it looks at is not ready. */
type Check = (signal: AbortSignal) => Promise<void> | void;

export interface ProbesOptions {
  /** 0: any free one. */
  readonly port: number;
  readonly bind: string;
  /** Each becomes a line of `/readyz`. */
  readonly checks: Readonly<Record<string, Check>>;
  /** `false` when waiting does not help any more; an absent Service Bus or Redis is no such reason. */
  readonly alive: () => boolean;
  readonly metricsHandler: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Probes extends AsyncDisposable {
  readonly port: number;
}

interface CheckResult {
  readonly ok: boolean;
  readonly code?: FaultCode;
}

const checkLimit: Millis = 2_000;
/** Whoever can reach the port must not be able to load Redis or Service Bus through it. */
const readyFor: Millis = 1_000;

/** Liveness, readiness and metrics. Nothing on this port changes anything or tells a secret. */
export async function startProbes(options: ProbesOptions): Promise<Probes> {
  const ready = createReadiness(options);
  const routes = new Map<
    string,
    (request: IncomingMessage, response: ServerResponse) => Promise<void> | void
  >([
    ["/livez", (_, response) => answer(response, options.alive() ? 200 : 503, { alive: options.alive() })],
    ["/readyz", async (_, response) => answerReady(response, await ready())],
  ]);
  if (options.metricsHandler) routes.set("/metrics", options.metricsHandler);

  const server = createServer(
    { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 },
    (request, response) => void route(routes, request, response, options.log),
  );
  server.maxConnections = 64;
  const port = await listen(server, options.port, options.bind);
  options.log.info({ port, bind: options.bind }, "probes listen");
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Routes = ReadonlyMap<
  string,
  (request: IncomingMessage, response: ServerResponse) => Promise<void> | void
>;

async function route(routes: Routes, request: IncomingMessage, response: ServerResponse, log: Log) {
  try {
    const found = routes.get(request.url?.split("?")[0] ?? "");
    if (!found) answer(response, 404, { error: "not found" });
    else if (request.method === "GET" || request.method === "HEAD") await found(request, response);
    else {
      response.setHeader("allow", "GET, HEAD");
      answer(response, 405, { error: "method not allowed" });
    }
  } catch (error) {
    log.error({ err: error }, "probe failed");
    response.destroy();
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(JSON.stringify(body));
}

function answerReady(response: ServerResponse, checks: Readonly<Record<string, CheckResult>>): void {
  const ready = Object.values(checks).every(({ ok }) => ok);
  answer(response, ready ? 200 : 503, { ready, checks });
}

/** Requests that come together, or within a second, share one look. */
function createReadiness({ checks, clock }: ProbesOptions): () => Promise<Record<string, CheckResult>> {
  let latest: { readonly at: number; readonly result: Promise<Record<string, CheckResult>> } | undefined;
  async function look(): Promise<Record<string, CheckResult>> {
    const names = Object.keys(checks);
    const results = await Promise.all(Object.values(checks).map((check) => runCheck(check, clock)));
    return Object.fromEntries(names.map((name, index) => [name, results[index] ?? { ok: false }]));
  }
  return () => {
    if (!latest || clock.now() - latest.at >= readyFor) latest = { at: clock.now(), result: look() };
    return latest.result;
  };
}

async function runCheck(check: Check, clock: Clock): Promise<CheckResult> {
  const end = new AbortController();
  const late = clock.sleep(checkLimit, end.signal).then(() => {
    throw new Fault("unavailable", "no answer in time");
  });
  try {
    await Promise.race([(async () => await check(end.signal))(), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, code: toFault(error).code };
  } finally {
    late.catch(() => undefined);
    end.abort();
  }
}

/** @throws Fault `invalid-config` if the port is taken or the address is not ours */
async function listen(server: Server, port: number, bind: string): Promise<number> {
  server.listen(port, bind);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Fault("invalid-config", `cannot listen on ${bind}:${port}; set KEYTURN_PORT or KEYTURN_BIND`, {
      cause: error,
    });
  }
  const address = server.address();
  return typeof address === "object" && address ? address.port : port;
}
