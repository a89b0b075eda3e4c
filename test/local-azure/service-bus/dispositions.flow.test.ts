import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { QueueState } from "../state.ts";
import { deadLetterQueueOf } from "./entities.ts";
import { type Fixture, receiveOne, startFixture } from "./fixture.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

/** A queue with one message in it, and a receiver that has it locked. */
async function receiveNew(options?: Partial<QueueState>) {
  const queue = azure.addQueue(options);
  azure.server.deliver(queue.name, { body: "1", properties: { kept: "yes" } });
  const client = azure.connect();
  const receiver = client.createReceiver(queue.name, { maxAutoLockRenewalDurationInMs: 0 });
  return { queue, client, receiver, message: await receiveOne(receiver) };
}

describe("settling", () => {
  it("brings an abandoned message back at once, with its new properties and one delivery more", async () => {
    const { receiver, message } = await receiveNew();
    await receiver.abandonMessage(message, { why: "busy" });
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ deliveryCount: 1, applicationProperties: { kept: "yes", why: "busy" } });
    expect(again.lockToken).not.toBe(message.lockToken);
  });

  it("hands out a deferred message by its number only", async () => {
    const { queue, receiver, message } = await receiveNew();
    await receiver.deferMessage(message, { later: true });
    expect(await receiver.receiveMessages(1, { maxWaitTimeInMs: 20 })).toEqual([]);
    const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber!);
    expect(deferred).toMatchObject({ state: "deferred", body: 1, applicationProperties: { later: true } });
    await receiver.completeMessage(deferred!);
    expect(queue.messages).toEqual([]);
  });

  it("refuses a deferred message that is not there", async () => {
    const { receiver, message } = await receiveNew();
    await expect(receiver.receiveDeferredMessages(message.sequenceNumber!)).rejects.toMatchObject({
      code: "MessageNotFound",
    });
  });

  it("moves a dead-lettered message with reason, description and properties", async () => {
    const { queue, client, receiver, message } = await receiveNew();
    await receiver.deadLetterMessage(message, {
      deadLetterReason: "message-invalid",
      deadLetterErrorDescription: "no such vault",
      code: 7,
    });
    expect(queue.messages).toEqual([]);
    const dead = client.createReceiver(queue.name, { subQueueType: "deadLetter" });
    const moved = await receiveOne(dead);
    expect(moved).toMatchObject({
      body: 1,
      deadLetterReason: "message-invalid",
      deadLetterErrorDescription: "no such vault",
      applicationProperties: { kept: "yes", code: 7 },
    });
    await dead.completeMessage(moved);
    expect(deadLetterQueueOf(azure.state, queue).messages).toEqual([]);
  });

  it("moves a message to the dead-letter queue after the last delivery allowed", async () => {
    const { queue, client, receiver, message } = await receiveNew({ maxDeliveryCount: 2 });
    await receiver.abandonMessage(message);
    await receiver.abandonMessage(await receiveOne(receiver));
    const dead = client.createReceiver(queue.name, { subQueueType: "deadLetter" });
    expect(await receiveOne(dead)).toMatchObject({
      deadLetterReason: "MaxDeliveryCountExceeded",
      deliveryCount: 2,
    });
  });

  it.each(["completeMessage", "abandonMessage", "deferMessage", "deadLetterMessage"] as const)(
    "refuses %s once the lock has run out, and hands the message out again",
    async (settle) => {
      const { receiver, message } = await receiveNew();
      azure.clock.skip(30_001);
      await expect(receiver[settle](message)).rejects.toMatchObject({ code: "MessageLockLost" });
      expect(await receiveOne(receiver)).toMatchObject({ deliveryCount: 1 });
    },
  );
});

describe("two settlements in one tick", () => {
  it("go out as one frame with the first one's outcome when nothing holds them apart", async () => {
    expect(await countWrong(20, (settle) => settle())).toBeGreaterThan(0);
  });

  it("end as asked behind a gate that lets one through per turn", async () => {
    let last: Promise<unknown> = Promise.resolve();
    const gate = <T>(settle: () => Promise<T>): Promise<T> => {
      const settled = last.then(settle);
      last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
      return settled;
    };
    expect(await countWrong(50, gate)).toBe(0);
  });
});

/** Completes one message and dead-letters the next in one tick; how many of `pairs` did not end as asked. */
async function countWrong(pairs: number, gate: <T>(settle: () => Promise<T>) => Promise<T>): Promise<number> {
  const queue = azure.addQueue();
  const receiver = azure.connect().createReceiver(queue.name);
  for (let pair = 0; pair < pairs; pair += 1) {
    azure.server.deliver(queue.name, { body: "1" });
    azure.server.deliver(queue.name, { body: "2" });
    const [first, second] = [await receiveOne(receiver), await receiveOne(receiver)];
    await Promise.all([
      gate(() => receiver.completeMessage(first)),
      gate(() => receiver.deadLetterMessage(second)),
    ]);
  }
  expect(queue.messages).toEqual([]);
  const dead = deadLetterQueueOf(azure.state, queue).messages;
  return pairs - dead.filter(({ body }) => Buffer.from(body).toString() === "2").length;
}
