import type { Delivery, Sender } from "rhea";
import { z } from "zod";
import { type Bus, type Client, operate, refused } from "./bus.ts";
import { findQueue } from "./entities.ts";
import { fromDeliveryTag } from "./lock-token.ts";
import { type Settlement, settle } from "./queue.ts";
import { settleDelivery } from "./rhea-internals.ts";

const Properties = z.record(z.string(), z.unknown());

/** `modified`: abandon, or defer with `undeliverable_here`. */
const Modified = z.object({
  undeliverable_here: z.boolean().nullish(),
  message_annotations: Properties.nullish(),
});

/** `rejected` with condition `com.microsoft:dead-letter`. */
const Rejected = z.object({
  error: z
    .object({
      info: z
        .object({
          DeadLetterReason: z.string().nullish(),
          DeadLetterErrorDescription: z.string().nullish(),
        })
        .catchall(z.unknown())
        .nullish(),
    })
    .nullish(),
});

export type Outcome = "accepted" | "released" | "modified" | "rejected";

/** What the client means by an AMQP outcome. */
function settlementOf(outcome: Outcome, remoteState: unknown): Settlement {
  if (outcome === "accepted") return { outcome: "complete" };
  if (outcome === "released") return { outcome: "release" };
  if (outcome === "modified") {
    const { undeliverable_here, message_annotations } = Modified.parse(remoteState);
    return { outcome: undeliverable_here ? "defer" : "abandon", properties: message_annotations ?? {} };
  }
  const info = Rejected.parse(remoteState).error?.info ?? {};
  const { DeadLetterReason: reason, DeadLetterErrorDescription: description, ...properties } = info;
  return {
    outcome: "deadletter",
    reason: reason ?? undefined,
    description: description ?? undefined,
    properties,
  };
}

/**
 * Settles what a client decided about a delivery. Success is always answered with `accepted`: an echo of `rejected`
 * with its error would make the SDK's `deadLetterMessage` throw.
 */
export async function onDisposition(
  bus: Bus,
  client: Client,
  link: { sender: Sender; path: string },
  delivery: Delivery,
  outcome: Outcome,
): Promise<void> {
  if (delivery.settled) return;
  const how = settlementOf(outcome, delivery.remote_state);
  const answer = await operate(bus, client, how.outcome, link.path, () => {
    const queue = findQueue(bus.state, link.path);
    const done = queue && settle(bus.state, queue, fromDeliveryTag(delivery.tag), how);
    return done ? { status: 200 } : lockLost();
  });
  if (answer) settleDelivery(link.sender, delivery, answer.error);
  bus.changed();
}

export function lockLost() {
  return refused(
    410,
    "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.",
  );
}
