import type { ServiceBusReceivedMessage } from "@azure/service-bus";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, receiveOne, startFixture, until } from "./fixture.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

// Time is skipped in some of these, and the SDK compares a lock's end with its own clock: so this comes first.
describe("renewing a lock", () => {
  it("happens by itself while a handler runs", async () => {
    const queue = azure.addQueue({ lockDuration: 4_000 });
    const renewals = () => azure.called(`renew ${queue.name}`);
    azure.server.deliver(queue.name, { body: "1" });
    const started = azure.clock.now();
    const receiver = azure.connect().createReceiver(queue.name);
    const errors: unknown[] = [];
    receiver.subscribe({
      processMessage: () => until(() => azure.clock.now() > started + 4_500 && renewals() >= 2),
      processError: async ({ error }) => void errors.push(error),
    });
    await until(() => queue.messages.length === 0);
    expect(renewals()).toBeGreaterThanOrEqual(2);
    expect(errors).toEqual([]);
  });

  it("starts the lock duration again, and is refused once the lock is lost", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect().createReceiver(queue.name, { maxAutoLockRenewalDurationInMs: 0 });
    const message = await receiveOne(receiver);
    azure.clock.skip(20_000);
    const end = await receiver.renewMessageLock(message);
    expect(end.getTime()).toBe(queue.messages[0]?.lock?.until);
    azure.clock.skip(20_000);
    await receiver.renewMessageLock(message);
    azure.clock.skip(30_001);
    await expect(receiver.renewMessageLock(message)).rejects.toMatchObject({ code: "MessageLockLost" });
  });
});

describe("scheduling", () => {
  it("keeps a message back until its time", async () => {
    const queue = azure.addQueue();
    const client = azure.connect();
    const at = new Date(azure.clock.now() + 60_000);
    const sender = client.createSender(queue.name);
    await sender.scheduleMessages([{ body: "by number" }], at);
    await sender.sendMessages({ body: "by property", scheduledEnqueueTimeUtc: at });
    const receiver = client.createReceiver(queue.name);
    expect(await receiver.receiveMessages(2, { maxWaitTimeInMs: 20 })).toEqual([]);
    azure.clock.skip(60_001);
    expect([(await receiveOne(receiver)).body, (await receiveOne(receiver)).body]).toEqual([
      "by number",
      "by property",
    ]);
  });

  it("wakes a waiting receiver when the time has come", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1", scheduledAt: azure.clock.now() + 3600_000 });
    const waiting = receiveOne(azure.connect().createReceiver(queue.name));
    await until(() => azure.called(`attach ${queue.name}`) === 1);
    azure.clock.skip(3600_000);
    expect((await waiting).body).toBe(1);
  });

  it("can be cancelled until then, once", async () => {
    const queue = azure.addQueue();
    const sender = azure.connect().createSender(queue.name);
    const at = new Date(azure.clock.now() + 60_000);
    const numbers = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], at);
    await sender.cancelScheduledMessages(numbers[0]!);
    expect(queue.messages.map((message) => message.sequenceNumber)).toEqual([numbers[1]?.toNumber()]);
    await expect(sender.cancelScheduledMessages(numbers[0]!)).rejects.toMatchObject({
      code: "MessageNotFound",
    });
  });
});

describe("peeking", () => {
  it("shows messages in every state and locks none of them", async () => {
    const queue = azure.addQueue();
    for (const body of ["1", "2", "3"]) azure.server.deliver(queue.name, { body });
    azure.server.deliver(queue.name, { body: "4", scheduledAt: azure.clock.now() + 60_000 });
    const receiver = azure.connect().createReceiver(queue.name);
    await receiver.deferMessage(await receiveOne(receiver));
    await receiveOne(receiver);
    const seen = await receiver.peekMessages(10);
    expect(seen.map(({ body, state }) => [body, state])).toEqual([
      [1, "deferred"],
      [2, "active"],
      [3, "active"],
      [4, "scheduled"],
    ]);
    expect(queue.messages.filter((message) => message.lock)).toHaveLength(1);
    const later = await receiver.peekMessages(1, { fromSequenceNumber: seen[2]!.sequenceNumber });
    expect(later.map(({ body }) => body)).toEqual([3]);
    expect(await receiver.peekMessages(1, { fromSequenceNumber: seen[3]!.sequenceNumber!.add(1) })).toEqual(
      [],
    );
  });
});

describe("settling deferred messages", () => {
  it("takes every decision by lock token", async () => {
    const queue = azure.addQueue();
    for (const body of ["1", "2", "3", "4"]) azure.server.deliver(queue.name, { body });
    const client = azure.connect();
    const receiver = client.createReceiver(queue.name);
    const numbers: NonNullable<ServiceBusReceivedMessage["sequenceNumber"]>[] = [];
    for (let n = 0; n < 4; n += 1) {
      const message = await receiveOne(receiver);
      numbers.push(message.sequenceNumber!);
      await receiver.deferMessage(message);
    }
    const [done, bad, back, later] = await receiver.receiveDeferredMessages(numbers);
    await receiver.completeMessage(done!);
    await receiver.deadLetterMessage(bad!, {
      deadLetterReason: "message-invalid",
      deadLetterErrorDescription: "no",
    });
    await receiver.abandonMessage(back!, { tried: 1 });
    await receiver.deferMessage(later!, { asked: true });
    expect(queue.messages).toMatchObject([
      { sequenceNumber: 3, state: "deferred", deliveryCount: 1, properties: { tried: 1 } },
      { sequenceNumber: 4, state: "deferred", deliveryCount: 0, properties: { asked: true } },
    ]);
    const dead = await receiveOne(client.createReceiver(queue.name, { subQueueType: "deadLetter" }));
    expect(dead).toMatchObject({
      body: 2,
      deadLetterReason: "message-invalid",
      deadLetterErrorDescription: "no",
    });
    await expect(receiver.completeMessage(done!)).rejects.toMatchObject({ code: "MessageLockLost" });
  });
});

describe("time to live", () => {
  it("removes a message that nobody took in time, or moves it if the queue says so", async () => {
    const forgetful = azure.addQueue();
    const keeping = azure.addQueue({ deadLetterExpired: true });
    const client = azure.connect();
    for (const { name } of [forgetful, keeping]) {
      await client.createSender(name).sendMessages({ body: 1, timeToLive: 60_000 });
    }
    expect(await client.createReceiver(keeping.name).peekMessages(1)).toMatchObject([{ timeToLive: 60_000 }]);
    azure.clock.skip(60_001);
    const dead = await receiveOne(client.createReceiver(keeping.name, { subQueueType: "deadLetter" }));
    expect(dead.deadLetterReason).toBe("TTLExpiredException");
    expect([forgetful.messages, keeping.messages]).toEqual([[], []]);
  });
});
