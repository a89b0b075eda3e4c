import type { TokenCredential } from "@azure/core-auth";
import {
  type RetryOptions,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from "@azure/service-bus";
import { context as otel } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import type { Clock, Millis } from "../../clock.ts";
import { endWithin } from "../deadline.ts";
import type { ReceivedMessage, ReceiveTiming } from "./message-source.ts";
import { translateServiceBusError } from "./error.ts";

/** One AMQP connection with links that each receive one message at a time. Thrown away at the first failure. */
export interface Connection {
  readonly receivers: readonly Receiver[];
  /** Never throws, and never takes longer than an answer may. */
  close(): Promise<void>;
}

export interface Receiver {
  /** The next message, `undefined` if there was none for `wait` ms. @throws Fault if the queue could not be asked */
  receive(wait: Millis, signal: AbortSignal): Promise<ReceivedMessage | undefined>;
}

export interface ConnectOptions {
  readonly host: string;
  readonly queue: string;
  readonly credential: TokenCredential;
  readonly lanes: number;
  readonly clock: Clock;
  readonly timing: ReceiveTiming;
}

/** The SDK's own wait 60 s for an answer, and 30 s between two tries. 0 is RetryMode.Exponential. */
const retryOptions: RetryOptions = {
  timeoutInMs: 10_000,
  maxRetries: 3,
  retryDelayInMs: 500,
  maxRetryDelayInMs: 5_000,
  mode: 0,
};

/**
 * Asks for messages one by one, on a link per lane, instead of subscribing:
 * - A subscription gets new credit with every reconnect, whether or not the handlers are done, and settles on a link that
 *   is gone until the settlement times out. Here a link is opened again only after its message is settled.
 * - rhea 3.0.5 sends two settlements of adjacent messages of one link, made in the same turn of the event loop, as one
 *   range with the outcome of the first: a message to be dead-lettered is completed and lost. A link has one at a time.
 * - Locks are not renewed, since a message is settled within milliseconds or had better come back; the SDK's renewal goes
 *   on for minutes after a connection was lost, and cannot settle a message without an id.
 */
export function connectServiceBus(options: ConnectOptions): Connection {
  const { host, queue, credential, lanes, clock, timing } = options;
  const client = new ServiceBusClient(host, credential, { retryOptions });
  const within = <T>(work: Promise<T>) => endWithin(clock, timing.answer, work);
  const receivers = Array.from({ length: lanes }, () =>
    client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0, skipParsingBodyAsJson: true }),
  );
  const settle = async (doing: string, verb: () => Promise<void>) => {
    try {
      await within(verb());
    } catch (error) {
      throw translateServiceBusError(error, `${doing} a message of ${queue}`);
    }
  };
  return {
    receivers: receivers.map((receiver) => ({
      async receive(wait, signal) {
        const message = await receiveOne(receiver, wait, signal, queue);
        return message && toReceived(message, receiver, settle);
      },
    })),
    async close() {
      const closed = Promise.allSettled(receivers.map((receiver) => receiver.close()));
      // What cannot be closed in time is a dead connection; there is nobody to tell.
      await within(closed.then(() => client.close())).catch(() => {});
    },
  };
}

/** Without spans of the SDK's own: it makes one per call, also for those that end without a message. */
async function receiveOne(
  receiver: ServiceBusReceiver,
  maxWaitTimeInMs: Millis,
  abortSignal: AbortSignal,
  queue: string,
): Promise<ServiceBusReceivedMessage | undefined> {
  try {
    const receive = () => receiver.receiveMessages(1, { maxWaitTimeInMs, abortSignal });
    const [message] = await otel.with(suppressTracing(otel.active()), receive);
    return message;
  } catch (error) {
    throw translateServiceBusError(error, `receive from ${queue}`);
  }
}

function toReceived(
  message: ServiceBusReceivedMessage,
  receiver: ServiceBusReceiver,
  settle: (doing: string, verb: () => Promise<void>) => Promise<void>,
): ReceivedMessage {
  return {
    id: message.messageId === undefined ? "" : String(message.messageId),
    body: toBytes(message.body),
    contentType: message.contentType,
    properties: message.applicationProperties ?? {},
    enqueuedAt: message.enqueuedTimeUtc?.getTime(),
    deliveryCount: message.deliveryCount ?? 0,
    complete: () => settle("complete", () => receiver.completeMessage(message)),
    abandon: () => settle("abandon", () => receiver.abandonMessage(message)),
    deadLetter: (deadLetterReason, deadLetterErrorDescription) =>
      settle("dead-letter", () =>
        receiver.deadLetterMessage(message, { deadLetterReason, deadLetterErrorDescription }),
      ),
  };
}

/** A body may be sent in several data sections, which rhea hands over as an array. */
function toBytes(body: unknown): unknown {
  const parts: unknown[] = Array.isArray(body) ? body : [];
  return parts.length > 0 && parts.every((part) => part instanceof Uint8Array) ? Buffer.concat(parts) : body;
}
