import type { AzureState, QueueState } from "../state.ts";

/** Built-in data actions of Service Bus; `Azure Service Bus Data Receiver` and `... Sender` have one each. */
export const receiveAction = "Microsoft.ServiceBus/namespaces/messages/receive/action";
export const sendAction = "Microsoft.ServiceBus/namespaces/messages/send/action";

const deadLetterSuffix = "/$deadletterqueue";

export function isDeadLetterQueue(queue: QueueState): boolean {
  return queue.name.endsWith(deadLetterSuffix);
}

/** The queue at an AMQP address, in any letter case; the dead-letter queue of a known queue is made when asked for. */
export function findQueue(state: AzureState, address: string): QueueState | undefined {
  const name = address.toLowerCase();
  if (!name.endsWith(deadLetterSuffix)) {
    return state.queues.get(name) ?? [...state.queues.values()].find((it) => it.name.toLowerCase() === name);
  }
  const parent = findQueue(state, address.slice(0, -deadLetterSuffix.length));
  return parent && deadLetterQueueOf(state, parent);
}

export function deadLetterQueueOf(state: AzureState, queue: QueueState): QueueState {
  const name = `${queue.name}${deadLetterSuffix}`;
  const known = state.queues.get(name);
  if (known) return known;
  const made: QueueState = {
    name,
    lockDuration: queue.lockDuration,
    maxDeliveryCount: Infinity,
    messages: [],
  };
  state.queues.set(name, made);
  return made;
}

/** ARM id of a queue: the scope to give a role at. A dead-letter queue has the id of its queue. */
export function queueId(state: AzureState, name: string): string {
  const queue = name.toLowerCase().endsWith(deadLetterSuffix)
    ? name.slice(0, -deadLetterSuffix.length)
    : name;
  return `/subscriptions/${state.subscriptionId}/resourceGroups/core/providers/Microsoft.ServiceBus/namespaces/local/queues/${queue}`;
}
