import type { Socket } from "node:net";
import type { Server } from "node:tls";
import type { Connection, Container, EventContext } from "rhea";
import type { AzureState } from "../state.ts";
import type { TokenAuthority } from "../tokens.ts";
import { createAlarm } from "./alarm.ts";
import type { Bus, Client } from "./bus.ts";
import { expireTokens } from "./cbs.ts";
import { handOut } from "./consumers.ts";
import { type Outcome, onDisposition } from "./dispositions.ts";
import { findQueue } from "./entities.ts";
import { onLinkClose, onMessage, onReceiverOpen, onSenderOpen } from "./links.ts";
import { type NewMessage, enqueue } from "./queue.ts";
import { answerDrain, cutConnection, rhea } from "./rhea-internals.ts";

export type { NewMessage } from "./queue.ts";
export { queueId } from "./entities.ts";

export interface ServiceBusServer {
  readonly port: number;
  /** Puts a message into a queue as the service itself, without a sender's link. */
  deliver(queue: string, message: NewMessage): void;
  /** Cuts every connection without a word, as a network failure would. Locks stay until they run out. */
  dropConnections(): void;
  close(): Promise<void>;
}

/**
 * Azure Service Bus queues over AMQP 1.0 and TLS on 127.0.0.1, good for the unmodified `@azure/service-bus` client with
 * a `TokenCredential`. `key` and `cert` are PEM; port 0, the default, takes a free one.
 *
 * Queues are those of `state.queues`. Faults apply to the calls `attach`, `transfer` (a send), `receive` (a message
 * handed to a link), `complete`, `abandon`, `defer`, `deadletter`, `release`, `renew`, `peek`, `schedule`, `cancel`,
 * `receive-deferred` and `put-token`, each followed by the entity's path; `attach` takes no delay.
 *
 * Left out: sessions, transactions, topics and their rules, duplicate detection, forwarding, bodies other than data
 * sections, and the administration client's HTTP interface.
 */
export async function startServiceBus(
  state: AzureState,
  tokens: TokenAuthority,
  options: { key: string; cert: string; port?: number },
): Promise<ServiceBusServer> {
  const bus = createBus(state, tokens);
  const container = rhea.create_container({ id: "local-service-bus" });
  wire(bus, container);
  const server = container.listen({
    transport: "tls",
    host: "127.0.0.1",
    port: options.port ?? 0,
    key: options.key,
    cert: options.cert,
    // The real service's values.
    idle_time_out: 120_000,
    max_frame_size: 65_536,
    ...linkOptions,
  });
  const cutAll = trackSockets(server);
  await new Promise<void>((resolve, reject) => server.once("listening", resolve).once("error", reject));
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("The local Service Bus has no port.");
  return {
    port: address.port,
    deliver(name, message) {
      const queue = findQueue(state, name);
      if (!queue) throw new Error(`The local Service Bus has no queue '${name}'.`);
      enqueue(state, queue, message);
      bus.changed();
    },
    dropConnections: () => dropConnections(bus),
    close: () => {
      bus.alarm.stop();
      dropConnections(bus);
      return new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        cutAll();
      });
    },
  };
}

/** Cuts also those connections that are still being made: `close` would wait for them. */
function trackSockets(server: Server): () => void {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return () => sockets.forEach((socket) => socket.destroy());
}

/** A locked old message holds up the whole ring of deliveries, so it has to be larger than rhea's 2048. */
const linkOptions = {
  tcp_no_delay: true,
  session_buffer_size: { outgoing: 16_384, incoming: 2_048 },
  sender_options: { treat_modified_as_released: false, autosettle: false },
  receiver_options: { autoaccept: false },
};

function createBus(state: AzureState, tokens: TokenAuthority): Bus {
  let asked = false;
  const bus: Bus = {
    state,
    tokens,
    clients: new Map(),
    consumers: new Map(),
    alarm: createAlarm(state.clock, () => {
      expireTokens(bus);
      handOut(bus);
    }),
    changed() {
      if (asked) return;
      asked = true;
      setImmediate(() => {
        asked = false;
        handOut(bus);
      });
    },
  };
  return bus;
}

function wire(bus: Bus, container: Container): void {
  const on = (event: string, handle: (context: EventContext, client: Client) => void | Promise<void>) =>
    container.on(event, (context: EventContext) => {
      // A connection that was just cut may have frames left to read; they come from nobody.
      const client = bus.clients.get(context.connection);
      if (!client) return;
      const handled = async () => handle(context, client);
      handled().catch((error: unknown) =>
        context.connection.close({ condition: "amqp:internal-error", description: String(error) }),
      );
    });
  container.on("connection_open", ({ connection }: EventContext) => {
    bus.clients.set(connection, { connection, claims: new Map(), replies: new Map(), links: new Map() });
  });
  on("sender_open", ({ sender }, client) => sender && onSenderOpen(bus, client, sender));
  on("receiver_open", ({ receiver }, client) => receiver && onReceiverOpen(bus, client, receiver));
  on("sender_close", ({ sender }, client) => sender && onLinkClose(bus, client, sender));
  on("receiver_close", ({ receiver }, client) => receiver && onLinkClose(bus, client, receiver));
  on("message", ({ receiver, delivery, message }, client) =>
    receiver && delivery && message ? onMessage(bus, client, receiver, delivery, message) : undefined,
  );
  for (const outcome of ["accepted", "released", "modified", "rejected"] satisfies Outcome[]) {
    on(outcome, ({ sender, delivery }, client) => {
      const path = sender && client.links.get(sender);
      if (!path || !delivery) return undefined;
      return onDisposition(bus, client, { sender, path }, delivery, outcome);
    });
  }
  on("sender_flow", () => handOut(bus));
  on("sender_draining", ({ sender }) => sender && answerDrain(sender));
  container.on("disconnected", ({ connection }: EventContext) => forget(bus, connection));
  container.on("connection_close", ({ connection }: EventContext) => forget(bus, connection));
  // Without a handler rhea throws what a client's link or connection was closed with.
  for (const event of [
    "error",
    "connection_error",
    "session_error",
    "sender_error",
    "receiver_error",
    "protocol_error",
  ]) {
    container.on(event, () => {});
  }
}

function forget(bus: Bus, connection: Connection): void {
  bus.clients.delete(connection);
  for (const [sender, { client }] of bus.consumers)
    if (client.connection === connection) bus.consumers.delete(sender);
}

function dropConnections(bus: Bus): void {
  for (const connection of bus.clients.keys()) cutConnection(connection);
}
