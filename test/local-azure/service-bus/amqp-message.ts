import type { Message } from "rhea";
import type { QueueMessage } from "../state.ts";
import type { NewMessage } from "./queue.ts";
import { rhea } from "./rhea-internals.ts";

/** A message whose body is not plain bytes (an AMQP value or sequence): the local Service Bus does not keep those. */
export class UnsupportedBody extends Error {
  override readonly name = "UnsupportedBody";
}

const stateNumber = { active: 0, deferred: 1, scheduled: 2 } as const;

/** Message format of a batch: each data section of the outer message is a whole message (Azure's own). */
export const batchFormat = 0x80013700;

/** @throws UnsupportedBody */
export function fromAmqp(message: Message): NewMessage {
  const scheduled: unknown = message.message_annotations?.["x-opt-scheduled-enqueue-time"];
  return {
    body: Buffer.concat(dataSections(message.body)),
    ...(message.message_id === undefined ? {} : { messageId: String(message.message_id) }),
    ...(message.content_type === undefined ? {} : { contentType: message.content_type }),
    ...(message.subject === undefined ? {} : { subject: message.subject }),
    ...(message.application_properties ? { properties: message.application_properties } : {}),
    ...(scheduled === undefined || scheduled === null ? {} : { scheduledAt: Number(scheduled) }),
    ...(message.ttl === undefined ? {} : { timeToLive: message.ttl }),
  };
}

/** @throws UnsupportedBody */
export function decode(bytes: Uint8Array): NewMessage {
  return fromAmqp(toMessage(bytes));
}

/** @throws UnsupportedBody */
export function decodeBatch(bytes: Uint8Array): NewMessage[] {
  return dataSections(toMessage(bytes).body).map(decode);
}

export function encode(message: QueueMessage): Buffer {
  const life = message.expiresAt === undefined ? undefined : message.expiresAt - message.enqueuedAt;
  return rhea.message.encode({
    message_id: message.messageId,
    content_type: message.contentType,
    subject: message.subject,
    ttl: life,
    creation_time: message.enqueuedAt,
    absolute_expiry_time: message.expiresAt,
    delivery_count: message.deliveryCount,
    message_annotations: annotations(message),
    application_properties: message.properties,
    body: rhea.message.data_section(Buffer.from(message.body)),
  });
}

function annotations(message: QueueMessage): Record<string, unknown> {
  const { types } = rhea;
  return {
    "x-opt-sequence-number": types.wrap_long(message.sequenceNumber),
    "x-opt-enqueued-time": types.wrap_timestamp(message.enqueuedAt),
    "x-opt-message-state": types.wrap_int(stateNumber[message.state]),
    ...(message.lock ? { "x-opt-locked-until": types.wrap_timestamp(message.lock.until) } : {}),
    ...(message.state === "scheduled"
      ? { "x-opt-scheduled-enqueue-time": types.wrap_timestamp(message.visibleAt) }
      : {}),
  };
}

function toMessage(bytes: Uint8Array): Message {
  const message = rhea.message.decode(Buffer.from(bytes));
  return { ...message, body: message.body };
}

/** The data sections of a body as rhea decodes it: `{ typecode: 0x75, content: Buffer | Buffer[] }`. */
function dataSections(body: unknown): Buffer[] {
  if (typeof body === "object" && body && "typecode" in body && "content" in body && body.typecode === 0x75) {
    const content: unknown[] = Array.isArray(body.content) ? body.content : [body.content];
    if (content.every((part) => Buffer.isBuffer(part))) return content;
  }
  throw new UnsupportedBody("only bodies of data sections are kept");
}
