import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { pino } from "pino";
import type { HandleMessage, MessageSource } from "../../src/azure/service-bus/message-source.ts";
import { createMessageSource, type MessageSourceOptions } from "../../src/azure/service-bus/service-bus.ts";
import { systemClock } from "../../src/clock.ts";
import { until } from "../support/until.ts";
import { addIdentity, addQueue, grant } from "./resources.ts";
import { queueId, type ServiceBusServer, startServiceBus } from "./service-bus/server.ts";
import { type AzureState, createState, type QueueState } from "./state.ts";
import { createCertificates } from "./tls.ts";
import { createTokenAuthority } from "./tokens.ts";

/** A local Service Bus and message sources that the unmodified SDK connects to it. Trusts its authority process-wide. */
export interface Receiving extends AsyncDisposable {
  readonly state: AzureState;
  readonly server: ServiceBusServer;
  /** A queue with a name of its own that sources may receive from, unless `allowed` is false. */
  addQueue(options?: { name?: string; lockDuration?: number; allowed?: boolean }): QueueState;
  deadLetters(queue: QueueState): QueueState["messages"];
  receive(queue: string, handle: HandleMessage, options?: Partial<MessageSourceOptions>): MessageSource;
  /** Ends the server; the returned function starts it on the same port. */
  takeDown(): Promise<() => Promise<void>>;
}

export async function startReceiving(): Promise<Receiving> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-receiving-"));
  const certificates = await createCertificates(folder);
  setDefaultCACertificates([...getCACertificates("default"), certificates.ca.pem]);
  const state = createState(systemClock);
  const tokens = await createTokenAuthority(state);
  const worker = addIdentity(state, "worker");
  let server = await startServiceBus(state, tokens, certificates);
  const { port } = server;
  const sources: MessageSource[] = [];
  const getToken = async () => {
    const { token, expiresOn } = await tokens.issue(worker, "https://servicebus.azure.net/");
    return { token, expiresOnTimestamp: expiresOn * 1000 };
  };
  return {
    state,
    get server() {
      return server;
    },
    addQueue({ name = `q-${randomUUID().slice(0, 8)}`, allowed = true, ...options } = {}) {
      const queue = addQueue(state, name, options);
      if (allowed) grant(state, worker.principalId, "Azure Service Bus Data Receiver", queueId(state, name));
      return queue;
    },
    deadLetters: ({ name }) => state.queues.get(`${name}/$deadletterqueue`)?.messages ?? [],
    receive(queue, handle, options) {
      const source = createMessageSource({
        host: `localhost:${port}`,
        queue,
        credential: { getToken },
        clock: systemClock,
        log: pino({ level: "silent" }),
        ...options,
        timing: { first: 50, longest: 200, ...options?.timing },
      });
      sources.push(source);
      source.start(handle);
      return source;
    },
    async takeDown() {
      await server.close();
      return async () => {
        server = await startServiceBus(state, tokens, { ...certificates, port });
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(sources.map((source) => source.stop()));
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

export async function isEmpty(queue: QueueState): Promise<void> {
  await until(`${queue.name} is empty`, () => queue.messages.length === 0);
}
