import { randomUUID } from "node:crypto";
import type { AzureState, QueueMessage, QueueState } from "../state.ts";
import { deadLetterQueueOf, isDeadLetterQueue } from "./entities.ts";
import { newLockToken } from "./lock-token.ts";

/** A message to be put into a queue. Times in milliseconds: `scheduledAt` since the epoch, `timeToLive` a duration. */
export interface NewMessage {
  body: string | Uint8Array;
  messageId?: string;
  contentType?: string;
  subject?: string;
  properties?: Record<string, unknown>;
  scheduledAt?: number;
  timeToLive?: number;
}

/** What a receiver decides about a message it has locked. */
export type Settlement =
  | { readonly outcome: "complete" | "release" }
  | { readonly outcome: "abandon" | "defer"; readonly properties?: Record<string, unknown> }
  | {
      readonly outcome: "deadletter";
      readonly reason?: string;
      readonly description?: string;
      readonly properties?: Record<string, unknown>;
    };

/** Puts a message at the end of the queue; it gets a message id if it has none, as the SDK cannot settle without. */
export function enqueue(state: AzureState, queue: QueueState, message: NewMessage): QueueMessage {
  const now = state.clock.now();
  const visibleAt = Math.max(now, message.scheduledAt ?? now);
  queue.sequence = (queue.sequence ?? 0) + 1;
  const made: QueueMessage = {
    sequenceNumber: queue.sequence,
    messageId: message.messageId ?? randomUUID(),
    body: typeof message.body === "string" ? Buffer.from(message.body) : message.body,
    contentType: message.contentType,
    subject: message.subject,
    properties: { ...message.properties },
    enqueuedAt: visibleAt,
    visibleAt,
    // The life of a scheduled message begins when it becomes visible.
    expiresAt: message.timeToLive === undefined ? undefined : visibleAt + message.timeToLive,
    deliveryCount: 0,
    state: visibleAt > now ? "scheduled" : "active",
    lock: undefined,
  };
  queue.messages.push(made);
  return made;
}

/** The first message that can be had now: locked for the caller, or with `take` removed for good. */
export function receive(
  state: AzureState,
  queue: QueueState,
  mode: "lock" | "take" = "lock",
): QueueMessage | undefined {
  upkeep(state, queue);
  const message = queue.messages.find(canBeHad);
  if (message) acquire(state, queue, message, mode);
  return message;
}

/** Whether `receive` would find one. */
export function isAvailable(state: AzureState, queue: QueueState): boolean {
  upkeep(state, queue);
  return queue.messages.some(canBeHad);
}

function canBeHad(message: QueueMessage): boolean {
  return message.state === "active" && !message.lock;
}

/**
 * Deferred messages by their sequence numbers, locked or taken.
 * `undefined` if one of them is not there, not deferred or locked: then none is touched.
 */
export function receiveDeferred(
  state: AzureState,
  queue: QueueState,
  sequenceNumbers: readonly number[],
  mode: "lock" | "take" = "lock",
): QueueMessage[] | undefined {
  upkeep(state, queue);
  const found = sequenceNumbers.map((number) =>
    queue.messages.find((it) => it.sequenceNumber === number && it.state === "deferred" && !it.lock),
  );
  const messages = found.filter((it) => it !== undefined);
  if (messages.length < found.length) return undefined;
  for (const message of messages) acquire(state, queue, message, mode);
  return messages;
}

function acquire(state: AzureState, queue: QueueState, message: QueueMessage, mode: "lock" | "take"): void {
  if (mode === "take") remove(queue, message);
  else message.lock = { token: newLockToken(), until: state.clock.now() + queue.lockDuration };
}

/** Settles the message behind a lock token; false if the lock is lost, and nothing has happened then. */
export function settle(state: AzureState, queue: QueueState, token: string, how: Settlement): boolean {
  upkeep(state, queue);
  const message = locked(queue, token);
  if (!message) return false;
  message.lock = undefined;
  if ("properties" in how) message.properties = { ...message.properties, ...how.properties };
  switch (how.outcome) {
    case "complete":
      remove(queue, message);
      break;
    case "release":
      break;
    case "abandon":
      failDelivery(state, queue, message);
      break;
    case "defer":
      message.state = "deferred";
      break;
    case "deadletter":
      deadLetter(state, queue, message, how.reason, how.description);
      break;
  }
  return true;
}

/** Extends a lock by the queue's lock duration; its new end, or `undefined` if it is lost. */
export function renew(state: AzureState, queue: QueueState, token: string): number | undefined {
  upkeep(state, queue);
  const message = locked(queue, token);
  if (!message?.lock) return undefined;
  message.lock.until = state.clock.now() + queue.lockDuration;
  return message.lock.until;
}

/** Up to `count` messages of any state from a sequence number on, without locking them. */
export function peek(state: AzureState, queue: QueueState, from: number, count: number): QueueMessage[] {
  upkeep(state, queue);
  return queue.messages
    .filter((it) => it.sequenceNumber >= from)
    .toSorted((a, b) => a.sequenceNumber - b.sequenceNumber)
    .slice(0, count);
}

/** Removes scheduled messages; false, and none removed, if one of them is not scheduled (any more). */
export function cancelScheduled(
  state: AzureState,
  queue: QueueState,
  sequenceNumbers: readonly number[],
): boolean {
  upkeep(state, queue);
  const found = queue.messages.filter(
    (it) => it.state === "scheduled" && sequenceNumbers.includes(it.sequenceNumber),
  );
  if (found.length < new Set(sequenceNumbers).size) return false;
  for (const message of found) remove(queue, message);
  return true;
}

/** Does what is due by now: ends locks, shows scheduled messages, removes expired ones. */
export function upkeep(state: AzureState, queue: QueueState): void {
  const now = state.clock.now();
  const due = queue.messages.filter((it) => nextChangeOf(queue, it) <= now);
  for (const message of due) {
    if (message.lock && message.lock.until <= now) {
      message.lock = undefined;
      failDelivery(state, queue, message);
    }
    if (message.state === "scheduled" && message.visibleAt <= now) message.state = "active";
    if (isExpired(queue, message, now)) expire(state, queue, message);
  }
}

/** When `upkeep` will have something to do; `Infinity` if never. */
export function nextChange(queue: QueueState): number {
  return queue.messages.reduce((first, it) => Math.min(first, nextChangeOf(queue, it)), Infinity);
}

function nextChangeOf(queue: QueueState, message: QueueMessage): number {
  if (message.lock) return message.lock.until;
  if (message.state === "scheduled") return message.visibleAt;
  return message.expiresAt === undefined || isDeadLetterQueue(queue) ? Infinity : message.expiresAt;
}

/** A locked message lives on until its lock ends, and in a dead-letter queue none expires. */
function isExpired(queue: QueueState, message: QueueMessage, now: number): boolean {
  if (message.lock || isDeadLetterQueue(queue) || !queue.messages.includes(message)) return false;
  return message.expiresAt !== undefined && message.expiresAt <= now;
}

function expire(state: AzureState, queue: QueueState, message: QueueMessage): void {
  if (!queue.deadLetterExpired) return remove(queue, message);
  deadLetter(state, queue, message, "TTLExpiredException", "The message expired and was dead lettered.");
}

/** Counts a delivery that ended without a decision; the last one allowed ends in the dead-letter queue. */
function failDelivery(state: AzureState, queue: QueueState, message: QueueMessage): void {
  message.deliveryCount += 1;
  if (message.deliveryCount < queue.maxDeliveryCount) return;
  deadLetter(
    state,
    queue,
    message,
    "MaxDeliveryCountExceeded",
    `Message could not be consumed after ${queue.maxDeliveryCount} delivery attempts.`,
  );
}

function deadLetter(
  state: AzureState,
  queue: QueueState,
  message: QueueMessage,
  reason?: string,
  description?: string,
): void {
  if (isDeadLetterQueue(queue)) return;
  remove(queue, message);
  message.state = "active";
  if (reason !== undefined) message.properties.DeadLetterReason = reason;
  if (description !== undefined) message.properties.DeadLetterErrorDescription = description;
  deadLetterQueueOf(state, queue).messages.push(message);
}

function locked(queue: QueueState, token: string): QueueMessage | undefined {
  return queue.messages.find((it) => it.lock?.token === token);
}

function remove(queue: QueueState, message: QueueMessage): void {
  const index = queue.messages.indexOf(message);
  if (index >= 0) queue.messages.splice(index, 1);
}
