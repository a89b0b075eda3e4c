import { randomInt, randomUUID } from "node:crypto";
import type { Millis } from "../../src/clock.ts";
import { takeFault } from "./faults.ts";
import type { NewMessage } from "./service-bus/server.ts";
import type { AzureState, EmitVaultEvent, EventSubscription, VaultEvent } from "./state.ts";

export type Deliver = (queue: string, message: NewMessage) => void;

/** To be called with an event: it goes to each matching subscription, at once unless that one shuffles. */
export type EventGrid = EmitVaultEvent & {
  /** Stops waiting for redelivery; what is held back is dropped. */
  close(): void;
};

/** How long a subscription with `shuffle` gathers a burst before it delivers it in another order. */
const burst: Millis = 50;

/** https://learn.microsoft.com/azure/event-grid/delivery-and-retry; the last wait is repeated until the event is a day old */
const retrySchedule: readonly Millis[] = [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200].map(
  (seconds) => seconds * 1000,
);
const timeToLive: Millis = 24 * 3600_000;

/** One event on its way to one subscription. */
interface Delivery {
  readonly subscription: EventSubscription;
  /** Tries before this one. */
  readonly count: number;
  readonly since: number;
  readonly message: NewMessage;
}

/**
 * Event Grid's system topics of vaults, with Service Bus queues as destinations: at least once, in no order. Fault rules
 * of the service `event-grid` match `deliver <queue>`: `before` and `after` make a delivery fail, so that it is tried
 * again after 10 s and more; `lost` delivers it and tries again all the same, which makes a duplicate.
 */
export function createEventGrid(state: AzureState, deliver: Deliver): EventGrid {
  const closing = new AbortController();
  const gathered = new Map<EventSubscription, Delivery[]>();

  function attempt(delivery: Delivery): void {
    const { subscription, count, message } = delivery;
    const fault = takeFault(state, "event-grid", `deliver ${subscription.queue}`);
    const withCount = { ...message, properties: { ...message.properties, "aeg-delivery-count": count } };
    const arrived = (!fault || fault.position === "lost") && reaches(subscription.queue, withCount);
    if (arrived && !fault) return;
    const wait = fault?.delay ?? retrySchedule[Math.min(count, retrySchedule.length - 1)] ?? timeToLive;
    if (state.clock.now() + wait < delivery.since + timeToLive)
      later(wait, () => attempt({ ...delivery, count: count + 1 }));
  }

  /** A queue that is not there (any more) is a failed delivery, and no concern of the vault's. */
  function reaches(queue: string, message: NewMessage): boolean {
    try {
      deliver(queue, message);
      return true;
    } catch {
      return false;
    }
  }

  function later(wait: Millis, act: () => void): void {
    void state.clock.sleep(wait, closing.signal).then(act, () => {});
  }

  function gather(deliveries: Delivery[]): void {
    const [first] = deliveries;
    if (!first) return;
    if (!first.subscription.shuffle) return deliveries.forEach(attempt);
    const waiting = gathered.get(first.subscription);
    if (waiting) return void waiting.push(...deliveries);
    gathered.set(first.subscription, deliveries);
    later(burst, () => {
      gathered.delete(first.subscription);
      for (const delivery of shuffled(deliveries)) attempt(delivery);
    });
  }

  function emit(event: VaultEvent): void {
    const id = randomUUID();
    const since = state.clock.now();
    for (const subscription of state.eventSubscriptions) {
      if (!matches(subscription, event)) continue;
      // The same message each time, as Event Grid keeps its message id across redelivery.
      const message = toMessage(subscription, event, id, new Date(since).toISOString());
      const copies = subscription.copies ?? 1;
      gather(Array.from({ length: copies }, () => ({ subscription, count: 0, since, message })));
    }
  }
  return Object.assign(emit, { close: () => closing.abort() });
}

function matches({ source, eventTypes }: EventSubscription, { vault, type }: VaultEvent): boolean {
  const isSource = source.toLowerCase() === vault.id.toLowerCase();
  return isSource && (eventTypes.length === 0 || eventTypes.includes(type));
}

/** Properties as in https://learn.microsoft.com/azure/event-grid/handler-service-bus */
function toMessage(subscription: EventSubscription, event: VaultEvent, id: string, time: string): NewMessage {
  const isCloudEvent = subscription.schema === "CloudEventSchemaV1_0";
  const body = isCloudEvent ? cloudEvent(event, id, time) : [gridEvent(event, id, time)];
  return {
    body: JSON.stringify(body),
    messageId: randomUUID(),
    contentType: `application/${isCloudEvent ? "cloudevents+" : ""}json; charset=utf-8`,
    properties: {
      "aeg-subscription-name": subscription.name,
      "aeg-delivery-count": 0,
      "aeg-event-type": "Notification",
      "aeg-metadata-version": "1",
      "aeg-data-version": "1",
      "aeg-output-event-id": id,
    },
  };
}

export function cloudEvent(event: VaultEvent, id: string, time: string): object {
  const { vault, type, name } = event;
  return { id, source: vault.id, specversion: "1.0", type, subject: name, time, data: eventData(event) };
}

function gridEvent(event: VaultEvent, id: string, time: string): object {
  const { vault, type, name } = event;
  const envelope = { id, topic: vault.id, subject: name, eventType: type, eventTime: time };
  return { ...envelope, data: eventData(event), dataVersion: "1", metadataVersion: "1" };
}

function eventData({ vault, name, version }: VaultEvent): object {
  return {
    Id: `${vault.url}/secrets/${name}/${version.version}`,
    VaultName: vault.name,
    ObjectType: "Secret",
    ObjectName: name,
    Version: version.version,
    NBF: version.nbf ?? null,
    EXP: version.exp ?? null,
  };
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[]): T[] {
  const pool = [...items];
  return items.flatMap(() => pool.splice(randomInt(pool.length), 1));
}
