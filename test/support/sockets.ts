import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface Listener extends AsyncDisposable {
  readonly port: number;
}

/** A bare TCP server on loopback: what a client meets when the other side is broken. */
export async function listen(serve: (socket: Socket) => unknown, host = "127.0.0.1"): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Passes bytes both ways between a socket and a port; while `isFrozen`, none from the port. */
export function relay(socket: Socket, port: number, isFrozen = () => false): void {
  const upstream = connect(port, "127.0.0.1");
  socket.once("close", () => upstream.destroy());
  upstream.on("error", () => socket.destroy());
  upstream.on("data", (data: Buffer) => isFrozen() || socket.write(data));
  socket.pipe(upstream);
}
