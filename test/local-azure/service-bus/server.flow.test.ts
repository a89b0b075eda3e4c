import type { ServiceBusReceivedMessage } from "@azure/service-bus";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, receiveOne, startFixture, until } from "./fixture.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

describe("sending", () => {
  it("keeps body, ids and properties of a message, and forgets it once it is completed", async () => {
    const queue = azure.addQueue();
    const client = azure.connect();
    const sent = {
      body: { vault: "prod" },
      messageId: "m-1",
      subject: "near-expiry",
      contentType: "application/json",
      applicationProperties: { attempt: 3, urgent: true, note: "ü" },
    };
    await client.createSender(queue.name).sendMessages(sent);
    const receiver = client.createReceiver(queue.name);
    const message = await receiveOne(receiver);
    expect(message).toMatchObject({ ...sent, deliveryCount: 0, state: "active" });
    await receiver.completeMessage(message);
    expect(queue.messages).toEqual([]);
  });

  it("takes an array and a batch apart into messages, in order", async () => {
    const queue = azure.addQueue();
    const client = azure.connect();
    const sender = client.createSender(queue.name);
    await sender.sendMessages([{ body: 1 }, { body: 2 }]);
    const batch = await sender.createMessageBatch();
    expect([batch.tryAddMessage({ body: 3 }), batch.tryAddMessage({ body: 4 })]).toEqual([true, true]);
    await sender.sendMessages(batch);
    const messages = await client.createReceiver(queue.name).receiveMessages(4, { maxWaitTimeInMs: 60_000 });
    expect(messages.map((message) => message.body)).toEqual([1, 2, 3, 4]);
    expect(messages.map((message) => message.sequenceNumber?.toNumber())).toEqual([1, 2, 3, 4]);
  });

  it("gives a message without an id one of its own, since the SDK cannot settle without", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "{}" });
    const message = await receiveOne(azure.connect().createReceiver(queue.name));
    expect(message.messageId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("refuses a message and a batch over the size limit and keeps nothing of them", async () => {
    const queue = azure.addQueue();
    const sender = azure.connect().createSender(queue.name);
    const body = "x".repeat(200 * 1024);
    await expect(sender.sendMessages({ body: body + body })).rejects.toMatchObject({
      code: "MessageSizeExceeded",
    });
    await expect(sender.sendMessages([{ body }, { body }])).rejects.toMatchObject({
      code: "MessageSizeExceeded",
    });
    await sender.sendMessages({ body });
    expect(queue.messages).toHaveLength(1);
  });

  it("refuses a queue that it does not have, to senders and receivers", async () => {
    const client = azure.connect();
    const error = { code: "MessagingEntityNotFound" };
    await expect(client.createSender("nowhere").sendMessages({ body: 1 })).rejects.toMatchObject(error);
    await expect(client.createReceiver("nowhere").receiveMessages(1)).rejects.toMatchObject(error);
  });

  it("keeps apart two sends of one tick of which one is refused", async () => {
    const queue = azure.addQueue();
    const sender = azure.connect({ retries: 0 }).createSender(queue.name);
    await sender.sendMessages({ body: "first" });
    azure.addFault({ match: `transfer ${queue.name}`, position: "before", status: 400 });
    const sends = ["refused", "kept", "also kept"].map((body) => sender.sendMessages({ body }));
    const ends = await Promise.allSettled(sends);
    expect(ends.map((end) => end.status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(queue.messages.map((message) => Buffer.from(message.body).toString())).toEqual([
      '"first"',
      '"kept"',
      '"also kept"',
    ]);
  });
});

describe("receiving", () => {
  it("feeds a subscriber with what is there and with what comes later", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const bodies: unknown[] = [];
    const receiver = azure.connect().createReceiver(queue.name);
    const subscription = receiver.subscribe({
      processMessage: async (message) => void bodies.push(message.body),
      processError: async () => {},
    });
    await until(() => bodies.length === 1);
    azure.server.deliver(queue.name, { body: Buffer.from("2") });
    await until(() => bodies.length === 2 && queue.messages.length === 0);
    expect(bodies).toEqual([1, 2]);
    await subscription.close();
  });

  it("removes a message on delivery in receive-and-delete mode", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect().createReceiver(queue.name, { receiveMode: "receiveAndDelete" });
    const message = await receiveOne(receiver);
    expect(message.lockToken).toBeUndefined();
    expect(queue.messages).toEqual([]);
    await receiver.receiveMessages(1, { maxWaitTimeInMs: 20 });
    // The delivery was settled when it was sent: the client has nothing to say about it.
    expect(azure.called(`complete ${queue.name}`)).toBe(0);
  });

  it("answers the drain of an empty receive, so that the same receiver goes on working", async () => {
    const queue = azure.addQueue();
    const receiver = azure.connect().createReceiver(queue.name);
    for (const _ of [1, 2, 3]) {
      expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 20 })).toEqual([]);
    }
    azure.server.deliver(queue.name, { body: "1" });
    expect((await receiveOne(receiver)).body).toBe(1);
    expect(azure.called(`attach ${queue.name}`)).toBe(1);
  });

  it("answers a drain when all credit has been used", async () => {
    const queue = azure.addQueue();
    const receiver = azure.connect().createReceiver(queue.name);
    for (let round = 0; round < 5; round += 1) {
      azure.server.deliver(queue.name, { body: "1" });
      const messages: ServiceBusReceivedMessage[] = await receiver.receiveMessages(1);
      for (const message of messages) await receiver.completeMessage(message);
    }
    expect(azure.called(`attach ${queue.name}`)).toBe(1);
  });

  it("gives two receivers of a queue their turns and never the same message", async () => {
    const queue = azure.addQueue();
    const seen = { a: new Set<unknown>(), b: new Set<unknown>() };
    const subscribe = (mine: Set<unknown>) =>
      azure
        .connect()
        .createReceiver(queue.name)
        .subscribe({
          processMessage: async (message) => void mine.add(message.messageId),
          processError: async () => {},
        });
    subscribe(seen.a);
    subscribe(seen.b);
    await until(() => azure.called(`attach ${queue.name}`) === 2);
    for (let n = 0; n < 40; n += 1) azure.server.deliver(queue.name, { body: "1" });
    await until(() => queue.messages.length === 0);
    expect(seen.a.size + seen.b.size).toBe(40);
    expect(seen.a.isDisjointFrom(seen.b)).toBe(true);
    expect(seen.b.size).toBeGreaterThan(0);
  });
});
