import type { Delivery, Message, Receiver, Sender } from "rhea";
import { UnsupportedBody, batchFormat, decodeBatch, fromAmqp } from "./amqp-message.ts";
import {
  type Answer,
  type Bus,
  type Client,
  notFound,
  operate,
  operateNow,
  refusalOf,
  refused,
} from "./bus.ts";
import { onPutToken } from "./cbs.ts";
import { handOut } from "./consumers.ts";
import { findQueue, receiveAction, sendAction } from "./entities.ts";
import { onManagementRequest } from "./management.ts";
import { type NewMessage, enqueue } from "./queue.ts";
import {
  closeInOneWrite,
  echoSettleModes,
  sendSettled,
  setMaxMessageSize,
  settleDelivery,
} from "./rhea-internals.ts";

/** Bytes, of one message or one batch: the limit of the standard tier. */
const maxMessageSize = 256 * 1024;

/** The client wants to receive: from a queue, or answers to its requests. */
export function onSenderOpen(bus: Bus, client: Client, sender: Sender): void {
  const path = sender.source?.address ?? "";
  sender.set_source({ address: path });
  sender.set_target({ address: sender.target?.address ?? "" });
  if (isRequestNode(path)) {
    sendSettled(sender);
    client.replies.set(sender.name, sender).set(sender.target?.address || sender.name, sender);
    if (path !== "$cbs") client.links.set(sender, path);
    return;
  }
  echoSettleModes(sender);
  attach(bus, client, sender, path, receiveAction);
  if (client.links.has(sender)) bus.consumers.set(sender, { sender, client, path });
  handOut(bus);
}

/** The client wants to send: to a queue, or requests. */
export function onReceiverOpen(bus: Bus, client: Client, receiver: Receiver): void {
  const path = receiver.target?.address ?? "";
  receiver.set_source({ address: receiver.source?.address ?? "" });
  receiver.set_target({ address: path });
  if (path === "$cbs") return;
  if (isRequestNode(path)) {
    client.links.set(receiver, path);
    return;
  }
  echoSettleModes(receiver);
  setMaxMessageSize(receiver, maxMessageSize);
  attach(bus, client, receiver, path, sendAction);
}

/**
 * Lets a link in, or closes it with the reason. rhea answers the attach itself; the detach follows in the same turn and
 * the same write, or the SDK takes the link for open and a send waits for credit until it times out.
 */
function attach(bus: Bus, client: Client, link: Sender | Receiver, path: string, action: string): void {
  const act = () => refusalOf(bus, client, path, action) ?? { status: 200 };
  const answer = operateNow(bus, client, "attach", path, act);
  if (answer?.error) closeInOneWrite(link, answer.error);
  else if (answer) client.links.set(link, path);
}

export function onLinkClose(bus: Bus, client: Client, link: Sender | Receiver): void {
  client.links.delete(link);
  for (const [sender] of bus.consumers) if (sender === link) bus.consumers.delete(sender);
  for (const [name, sender] of client.replies) if (sender === link) client.replies.delete(name);
}

/** A message from the client: to `$cbs`, to a queue's `$management`, or into a queue. */
export async function onMessage(
  bus: Bus,
  client: Client,
  receiver: Receiver,
  delivery: Delivery,
  message: Message | Buffer,
): Promise<void> {
  const path = receiver.target?.address ?? "";
  if (!isRequestNode(path) || Buffer.isBuffer(message)) {
    await onTransfer(bus, client, receiver, delivery, message);
    return;
  }
  settleDelivery(receiver, delivery);
  if (path === "$cbs") await onPutToken(bus, client, message);
  else await onManagementRequest(bus, client, path, message);
}

async function onTransfer(
  bus: Bus,
  client: Client,
  receiver: Receiver,
  delivery: Delivery,
  message: Message | Buffer,
): Promise<void> {
  const path = client.links.get(receiver);
  // Not let in (yet): the client sends this again after the detach that is under way.
  if (path === undefined) return;
  const answer = await operate(bus, client, "transfer", path, () => store(bus, path, delivery, message));
  if (answer) settleDelivery(receiver, delivery, answer.error);
  bus.changed();
}

function store(bus: Bus, path: string, delivery: Delivery, message: Message | Buffer): Answer {
  const queue = findQueue(bus.state, path);
  if (!queue) return notFound(path);
  try {
    const messages = Buffer.isBuffer(message) ? decodeFormat(delivery.format, message) : [fromAmqp(message)];
    const size = Buffer.isBuffer(message)
      ? message.length
      : messages.reduce((sum, it) => sum + sizeOf(it), 0);
    if (size > maxMessageSize) {
      return refused(
        413,
        `The received message (size: ${size} bytes) exceeds the limit (${maxMessageSize} bytes).`,
      );
    }
    for (const it of messages) enqueue(bus.state, queue, it);
    return { status: 200 };
  } catch (error) {
    if (error instanceof UnsupportedBody) return refused(501, error.message);
    throw error;
  }
}

function decodeFormat(format: number, bytes: Buffer): NewMessage[] {
  if (format !== batchFormat) throw new UnsupportedBody(`message format ${format} is not known`);
  return decodeBatch(bytes);
}

/** About what it takes on the wire: rhea does not tell, once it has decoded a message. */
function sizeOf(message: NewMessage): number {
  return message.body.length + JSON.stringify(message.properties ?? {}).length;
}

function isRequestNode(path: string): boolean {
  return path === "$cbs" || path.endsWith("/$management");
}
