import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { azureError, ConnectionCut } from "./http.ts";
import type { HttpService } from "./state.ts";

export interface ServeOptions {
  /** Served on TLS with these PEM texts; without them on plain http. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Default 0: a free one. */
  readonly port?: number;
  /** Bytes; larger bodies get 413. Default 1 MiB. */
  readonly maxBody?: number;
}

export interface HttpServer {
  readonly port: number;
  /** `https://localhost:<port>`, or `http://127.0.0.1:<port>` without TLS. */
  readonly url: string;
  /** Ends all connections, idle and busy. */
  readonly close: () => Promise<void>;
}

/**
 * Serves `service` on loopback. A `ConnectionCut` that it throws destroys the socket without an answer. Bodies are
 * small, so they are read and written whole, which makes real `Request` objects: the usual adapter's lazy ones cannot
 * be copied unless it replaces the global classes of the whole process.
 */
export async function serveHttp(service: HttpService, options: ServeOptions = {}): Promise<HttpServer> {
  const { tls, maxBody = 1024 * 1024 } = options;
  const scheme = tls ? "https" : "http";
  const server = tls ? createHttpsServer(tls) : createHttpServer();
  server.on("request", (incoming, outgoing) => {
    answer(service, incoming, outgoing, { scheme, maxBody }).catch((error: unknown) =>
      outgoing.destroy(toError(error)),
    );
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const url = `${scheme}://${tls ? "localhost" : "127.0.0.1"}:${port}`;
  return { port, url, close: () => close(server) };
}

export type Serve = (service: HttpService, options: ServeOptions) => Promise<HttpServer>;

/** Serves and closes with `stack`, which may be given more to close while it is open. */
export function createServe(stack: AsyncDisposableStack): Serve {
  return async (service, options) => {
    const server = await serveHttp(service, options);
    stack.defer(server.close);
    return server;
  };
}

async function answer(
  service: HttpService,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: { scheme: string; maxBody: number },
): Promise<void> {
  try {
    const body = await readBody(incoming, options.maxBody);
    const response = body
      ? await service(toRequest(incoming, options.scheme, body))
      : azureError(413, "RequestEntityTooLarge", `The body is larger than ${options.maxBody} bytes.`);
    await send(outgoing, response);
  } catch (error) {
    if (error instanceof ConnectionCut) incoming.socket.destroy();
    else await send(outgoing, azureError(500, "InternalServerError", toError(error).stack ?? "unknown"));
  }
}

/** `undefined` if there is more than `maxBody`; the rest is read and thrown away, so that the answer gets through. */
async function readBody(
  incoming: IncomingMessage,
  maxBody: number,
): Promise<Buffer<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size <= maxBody) chunks.push(chunk);
  }
  return size <= maxBody ? Buffer.concat(chunks) : undefined;
}

function toRequest(incoming: IncomingMessage, scheme: string, body: Buffer<ArrayBuffer>): Request {
  const { method = "GET", url = "/", headers, headersDistinct } = incoming;
  const pairs = Object.entries(headersDistinct).flatMap(([name, values]) =>
    (values ?? []).map((value): [string, string] => [name, value]),
  );
  return new Request(new URL(`${scheme}://${headers.host ?? "localhost"}${url}`), {
    method,
    headers: pairs,
    body: method === "GET" || method === "HEAD" ? null : body,
  });
}

async function send(outgoing: ServerResponse, response: Response): Promise<void> {
  outgoing.statusCode = response.status;
  outgoing.setHeaders(response.headers);
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address === "object" && address) return address.port;
  throw new Error("the server does not listen on a port");
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
