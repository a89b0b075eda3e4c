import type { QueueMessage } from "../state.ts";
import { type Bus, type Consumer, operateNow } from "./bus.ts";
import { encode } from "./amqp-message.ts";
import { findQueue } from "./entities.ts";
import { toDeliveryTag } from "./lock-token.ts";
import { isAvailable, nextChange, receive, upkeep } from "./queue.ts";
import { freeCredit } from "./rhea-internals.ts";

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
  if (!queue || !isAvailable(bus.state, queue)) return false;
  let message: QueueMessage | undefined;
  const answer = operateNow(bus, client, "receive", path, () => {
    // A sender that settles everything it sends is how receive-and-delete looks on the wire.
    message = receive(bus.state, queue, sender.snd_settle_mode === 1 ? "take" : "lock");
    return { status: message ? 200 : 204 };
  });
  if (message && answer && !answer.error) {
    sender.send(encode(message), message.lock && toDeliveryTag(message.lock.token), 0);
    return true;
  }
  bus.consumers.delete(sender);
  if (answer?.error) sender.close(answer.error);
  return true;
}
