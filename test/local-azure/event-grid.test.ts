import { beforeEach, describe, expect, it } from "vitest";
import { parseEvents } from "../../src/intake/parse-event.ts";
import { createVirtualClock, type VirtualClock } from "../support/virtual-clock.ts";
import { createEventGrid } from "./event-grid.ts";
import { addVault } from "./resources.ts";
import type { NewMessage } from "./service-bus/server.ts";
import {
  type AzureState,
  createState,
  type EventSubscription,
  type VaultEvent,
  type VaultState,
} from "./state.ts";

let clock: VirtualClock;
let state: AzureState;
let vault: VaultState;
let delivered: (NewMessage & { queue: string })[];

beforeEach(() => {
  clock = createVirtualClock();
  state = createState(clock);
  vault = addVault(state, "prod-kv");
  delivered = [];
});

const emitTo = () => createEventGrid(state, (queue, message) => delivered.push({ ...message, queue }));

function subscribe(changes: Partial<EventSubscription> = {}): void {
  const schema = "CloudEventSchemaV1_0" as const;
  state.eventSubscriptions.push({
    name: "keyturn",
    source: vault.id,
    queue: "events",
    schema,
    eventTypes: [],
    ...changes,
  });
}

function eventOf(
  name = "orders-db",
  type: VaultEvent["type"] = "Microsoft.KeyVault.SecretNearExpiry",
): VaultEvent {
  const version = {
    version: "0123456789abcdef0123456789abcdef",
    value: "hunter2",
    contentType: undefined,
    tags: {},
    enabled: true,
    created: 1,
    updated: 1,
    nbf: undefined,
    exp: 1_770_000_000,
  };
  return { type, vault, name, version };
}

const names = (): string[] => delivered.map(({ body }) => JSON.parse(String(body)).subject);

describe("a delivery", () => {
  it.each([
    ["CloudEventSchemaV1_0", "application/cloudevents+json; charset=utf-8"],
    ["EventGridSchema", "application/json; charset=utf-8"],
  ] as const)("in %s is what the worker reads, without the secret's value", (schema, contentType) => {
    subscribe({ schema });
    emitTo()(eventOf());
    const vaults = [{ name: vault.name, id: vault.id.toLowerCase(), url: vault.url }];
    const [message] = delivered;
    expect(message).toMatchObject({
      queue: "events",
      contentType,
      properties: {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "keyturn",
        "aeg-delivery-count": 0,
      },
    });
    expect(Array.isArray(JSON.parse(String(message?.body)))).toBe(schema === "EventGridSchema");
    expect(parseEvents(message?.body, vaults)).toMatchObject([{ name: "orders-db", subject: "orders-db" }]);
    expect(JSON.stringify(delivered)).not.toContain("hunter2");
  });

  it("goes to the subscriptions of the vault that want the type", () => {
    subscribe({ queue: "all", source: vault.id.toUpperCase() });
    subscribe({ queue: "expired", eventTypes: ["Microsoft.KeyVault.SecretExpired"] });
    subscribe({ queue: "other-vault", source: `${vault.id}2` });
    emitTo()(eventOf());
    expect(delivered.map(({ queue }) => queue)).toEqual(["all"]);
  });

  it("is repeated with the same message id and event id when copies are asked for", () => {
    subscribe({ copies: 5 });
    emitTo()(eventOf());
    expect(delivered).toHaveLength(5);
    expect(new Set(delivered.map(({ messageId }) => messageId)).size).toBe(1);
    expect(new Set(delivered.map(({ body }) => String(body))).size).toBe(1);
  });

  it("comes in another order when that is asked for, and none is lost", async () => {
    subscribe({ shuffle: true, copies: 2 });
    const emit = emitTo();
    const sent = Array.from({ length: 50 }, (_, index) => `secret-${index}`);
    for (const name of sent) emit(eventOf(name));
    await clock.advance(1_000);
    const inOrder = sent.flatMap((name) => [name, name]);
    expect(names()).not.toEqual(inOrder);
    expect(Map.groupBy(names(), (name) => name).size).toBe(50);
    expect(delivered).toHaveLength(100);
  });
});

describe("a failed delivery", () => {
  const rule = { id: "f", service: "event-grid", match: "deliver events" } as const;

  it("is tried again after 10 s and after 30 s more, with the same message id", async () => {
    subscribe();
    state.faults.push({ ...rule, position: "before", times: 2 });
    emitTo()(eventOf());
    await clock.advance(39_000);
    expect(delivered).toHaveLength(0);
    await clock.advance(1_000);
    expect(delivered).toMatchObject([{ properties: { "aeg-delivery-count": 2 } }]);
  });

  it("of which only the answer was lost makes a duplicate", async () => {
    subscribe();
    state.faults.push({ ...rule, position: "lost", times: 1 });
    emitTo()(eventOf());
    await clock.advance(10_000);
    expect(new Set(delivered.map(({ messageId }) => messageId)).size).toBe(1);
    expect(delivered).toHaveLength(2);
  });

  it("to a queue that is not there is no concern of the vault's, and is given up after a day", async () => {
    subscribe();
    let tries = 0;
    const emit = createEventGrid(state, () => {
      tries += 1;
      throw new Error("no such queue");
    });
    emit(eventOf());
    await clock.advance(48 * 3600_000);
    expect(tries).toBeGreaterThan(8);
    expect(clock.sleepers).toBe(0);
  });

  it("is forgotten when Event Grid closes", async () => {
    subscribe();
    state.faults.push({ ...rule, position: "before", times: 1 });
    const emit = emitTo();
    emit(eventOf());
    emit.close();
    await clock.advance(60_000);
    expect(delivered).toHaveLength(0);
  });
});
