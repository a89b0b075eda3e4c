import type { Millis, Timestamp } from "../../clock.ts";
import type { FaultCode } from "../../errors.ts";

/** A message that is locked for us until it is settled or its lock runs out; then it comes back. */
export interface ReceivedMessage {
  /** The sender's id of the message; empty if it gave none. Event Grid keeps it across redelivery. */
  readonly id: string;
  /** `Uint8Array` as the wire had it, unless the sender used AMQP's own types. Never parsed here. */
  readonly body: unknown;
  readonly contentType: string | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly enqueuedAt: Timestamp | undefined;
  /** 0 at the first delivery. */
  readonly deliveryCount: number;
  /** Each settles the message for good. @throws Fault, `conflict` if the lock is lost; the message then comes back */
  complete(): Promise<void>;
  deadLetter(reason: FaultCode, description: string): Promise<void>;
  abandon(): Promise<void>;
}

/** Settles the message, or leaves it to come back; does not throw. `signal` aborts when the source stops. */
export type HandleMessage = (message: ReceivedMessage, signal: AbortSignal) => Promise<void>;

export interface SourceState {
  /** `connecting`: not known yet. `unreachable`: the last try failed, and it is being tried again. */
  readonly status: "connecting" | "receiving" | "unreachable";
  /** Of the last failure, while unreachable. */
  readonly code?: FaultCode;
  readonly since: Timestamp;
}

/** Receives from one queue and keeps at it: whatever goes wrong, it connects anew with back-off until it is stopped. */
export interface MessageSource {
  /** Each message is handled by `handle`, at most `lanes` at a time. To be called once, outside of any request. */
  start(handle: HandleMessage): void;
  state(): SourceState;
  /** Takes no new messages, waits for those in work, then closes links and connection. */
  stop(): Promise<void>;
}

/** Milliseconds. */
export interface ReceiveTiming {
  /** How long one call waits for a message; an idle connection is found dead after this at the latest. */
  readonly wait: Millis;
  /** How much longer than `wait` a call may take, and how long a settlement may: the SDK can hang far longer. */
  readonly answer: Millis;
  /** Between two tries: doubles from `first` to `longest`. */
  readonly first: Millis;
  readonly longest: Millis;
}
