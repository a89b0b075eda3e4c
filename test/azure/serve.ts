import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { once } from "node:events";
import { createServer as createHttpServer, type Server } from "node:http";
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

/** Serves `service` on loopback. A `ConnectionCut` that it throws destroys the socket without an answer. */
export async function serveHttp(service: HttpService, options: ServeOptions = {}): Promise<HttpServer> {
  const { tls, maxBody = 1024 * 1024 } = options;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(bodyLimit({ maxSize: maxBody, onError: () => tooLarge(maxBody) }));
  app.all("*", async (context) => {
    try {
      return await service(context.req.raw);
    } catch (error) {
      if (!(error instanceof ConnectionCut)) throw error;
      context.env.incoming.socket.destroy();
      return RESPONSE_ALREADY_SENT;
    }
  });
  app.onError((error) => azureError(500, "InternalServerError", String(error.stack)));
  const server = tls ? createHttpsServer(tls) : createHttpServer();
  // Without the option the adapter replaces the global Request and Response of the whole process.
  const listener = getRequestListener(app.fetch.bind(app), { overrideGlobalObjects: false });
  server.on("request", (incoming, outgoing) => void listener(incoming, outgoing));
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  return {
    port,
    url: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    close: () => close(server),
  };
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

function tooLarge(maxBody: number): Response {
  return azureError(413, "RequestEntityTooLarge", `The body is larger than ${maxBody} bytes.`);
}
