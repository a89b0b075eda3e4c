import { takeFault } from "../faults.ts";
import { type Bus, type Consumer, record, refused } from "./bus.ts";
import { encode } from "./amqp-message.ts";
import { findQueue } from "./entities.ts";
import { toDeliveryTag } from "./lock-token.ts";
import { nextChange, receive, upkeep } from "./queue.ts";
import { cutConnection, freeCredit } from "./rhea-internals.ts";

/** Hands out what can be had to the links that have credit, in turns, and sets the alarm for the next change. */
export function handOut(bus: Bus): void {
  for (const consumer of bus.consumers.values()) {
    if (freeCredit(consumer.sender) < 1 || !give(bus, consumer)) continue;
    // Behind the others; this loop comes by again, until nobody has credit or nothing is left.
    if (!bus.consumers.delete(consumer.sender)) continue;
    bus.consumers.set(consumer.sender, consumer);
  }
  for (const queue of bus.state.queues.values()) {
    upkeep(bus.state, queue);
    bus.alarm.set(nextChange(queue));
  }
}

/** Whether there was a message for this consumer. */
function give(bus: Bus, consumer: Consumer): boolean {
  const { sender, client, path } = consumer;
  const queue = findQueue(bus.state, path);
  // A sender that settles everything it sends is how receive-and-delete looks on the wire.
  const message = queue && receive(bus.state, queue, sender.snd_settle_mode === 1 ? "take" : "lock");
  if (!message) return false;
  const call = `receive ${path}`;
  const fault = takeFault(bus.state, "service-bus", call);
  record(bus, client, call, fault ? (fault.status ?? 0) : 200);
  if (!fault) {
    const tag = message.lock ? toDeliveryTag(message.lock.token) : undefined;
    sender.send(encode(message), tag, 0);
    return true;
  }
  bus.consumers.delete(sender);
  if (fault.status) sender.close(refused(fault.status, "A fault was switched on.", fault.code).error);
  else cutConnection(client.connection);
  return true;
}
