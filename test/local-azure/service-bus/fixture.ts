import {
  ServiceBusClient,
  type ServiceBusClientOptions,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from "@azure/service-bus";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Clock } from "../../../src/clock.ts";
import { type AzureState, type FaultRule, type Identity, type QueueState, createState } from "../state.ts";
import { createCertificates } from "../tls.ts";
import { type TokenAuthority, createTokenAuthority } from "../tokens.ts";
import { queueId, type ServiceBusServer, startServiceBus } from "./server.ts";

/** The real time plus what a test has skipped: locks, lives and tokens end at once, and the SDK's timers run as ever. */
interface SkippingClock extends Clock {
  skip(milliseconds: number): void;
}

function createSkippingClock(): SkippingClock {
  let skipped = 0;
  const sleepers = new Set<() => void>();
  const now = () => Date.now() + skipped;
  return {
    now,
    async sleep(duration, signal) {
      const end = now() + duration;
      while (now() < end) {
        const woken = new AbortController();
        const wake = () => woken.abort();
        sleepers.add(wake);
        const either = AbortSignal.any(signal ? [signal, woken.signal] : [woken.signal]);
        await delay(end - now(), undefined, { signal: either, ref: false }).catch(() => {});
        sleepers.delete(wake);
        signal?.throwIfAborted();
      }
    },
    skip(milliseconds) {
      skipped += milliseconds;
      for (const wake of sleepers) wake();
    },
  };
}

export interface Fixture {
  readonly state: AzureState;
  readonly tokens: TokenAuthority;
  readonly clock: SkippingClock;
  readonly server: ServiceBusServer;
  /** May send to and receive from every queue. */
  readonly worker: Identity;
  /** Another server of the same namespace, which the test has to close. */
  startAnother(): Promise<ServiceBusServer>;
  addQueue(options?: Partial<QueueState>): QueueState;
  addFault(rule: Omit<FaultRule, "id" | "service" | "times"> & { times?: number }): void;
  connect(options?: ConnectOptions): ServiceBusClient;
  /** How often this was called, by its beginning: `renew orders`. */
  called(call: string): number;
  close(): Promise<void>;
}

interface ConnectOptions {
  /** As a credential's `getToken`; default: the worker's, good for a day. */
  readonly token?: () => Promise<Token>;
  readonly retries?: number;
  /** Milliseconds of one try. */
  readonly timeout?: number;
}

export type Token = { token: string; expiresOnTimestamp: number };

export async function startFixture(): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), "service-bus-"));
  const certificates = await createCertificates(folder);
  setDefaultCACertificates([...getCACertificates("default"), certificates.ca.pem]);
  const clock = createSkippingClock();
  const state = createState(clock);
  const tokens = await createTokenAuthority(state);
  const worker = addIdentity(state, "worker");
  const server = await startServiceBus(state, tokens, certificates);
  const opened: ServiceBusClient[] = [];
  return {
    state,
    tokens,
    clock,
    server,
    worker,
    startAnother: () => startServiceBus(state, tokens, certificates),
    addQueue(given) {
      const name = given?.name ?? `orders-${randomUUID().slice(0, 8)}`;
      const queue: QueueState = { lockDuration: 30_000, maxDeliveryCount: 10, messages: [], ...given, name };
      state.queues.set(name, queue);
      for (const role of ["Azure Service Bus Data Receiver", "Azure Service Bus Data Sender"]) {
        state.roleAssignments.push({ principalId: worker.principalId, role, scope: queueId(state, name) });
      }
      return queue;
    },
    addFault(rule) {
      state.faults.push({ id: randomUUID(), service: "service-bus", times: 1, ...rule });
    },
    connect({ token = () => issue(tokens, worker), retries = 3, timeout = 5_000 } = {}) {
      const options: ServiceBusClientOptions = {
        retryOptions: { timeoutInMs: timeout, maxRetries: retries, retryDelayInMs: 100 },
      };
      const client = new ServiceBusClient(`localhost:${server.port}`, { getToken: token }, options);
      opened.push(client);
      return client;
    },
    called: (call) => state.calls.filter((it) => it.call.startsWith(call)).length,
    async close() {
      await Promise.all(opened.map((client) => client.close()));
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

export function addIdentity(state: AzureState, name: string): Identity {
  const identity = {
    name,
    principalId: randomUUID(),
    clientId: randomUUID(),
    resourceId: `/identities/${name}`,
  };
  state.identities.set(identity.principalId, identity);
  return identity;
}

/** A token as a credential hands it out. `lifetime` in seconds. */
export async function issue(
  tokens: TokenAuthority,
  identity: Identity,
  { audience = "https://servicebus.azure.net/", lifetime = 24 * 3600 } = {},
): Promise<Token> {
  const { token, expiresOn } = await tokens.issue(identity, audience, lifetime);
  return { token, expiresOnTimestamp: expiresOn * 1000 };
}

/** Resolves once `condition` holds; the test's own timeout ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

/** The next message, which has to be there soon. */
export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 60_000 });
  if (!message) throw new Error("no message came");
  return message;
}
