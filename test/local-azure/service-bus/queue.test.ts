import { beforeEach, describe, expect, it } from "vitest";
import type { AzureState, QueueState } from "../state.ts";
import { createState } from "../state.ts";
import { deadLetterQueueOf, findQueue, queueId } from "./entities.ts";
import {
  cancelScheduled,
  enqueue,
  isAvailable,
  nextChange,
  peek,
  receive,
  receiveDeferred,
  renew,
  settle,
  upkeep,
} from "./queue.ts";

let now: number;
let state: AzureState;
let queue: QueueState;

beforeEach(() => {
  now = 1_000_000;
  state = createState({ now: () => now, sleep: () => new Promise(() => {}) });
  queue = { name: "Orders", lockDuration: 30_000, maxDeliveryCount: 3, messages: [] };
  state.queues.set(queue.name, queue);
});

/** The lock token of the next message. */
function lock(): string {
  const token = receive(state, queue)?.lock?.token;
  if (!token) throw new Error("no message to lock");
  return token;
}

const dead = () => deadLetterQueueOf(state, queue);

describe("a lock", () => {
  it("keeps a message from others, and first come is first served", () => {
    const [first, second] = [enqueue(state, queue, { body: "1" }), enqueue(state, queue, { body: "2" })];
    expect(receive(state, queue)).toBe(first);
    expect(receive(state, queue)).toBe(second);
    expect(receive(state, queue)).toBeUndefined();
    expect(first.lock?.until).toBe(now + 30_000);
  });

  it("ends on time, not earlier, and counts as a delivery", () => {
    const message = enqueue(state, queue, { body: "1" });
    const token = lock();
    expect(nextChange(queue)).toBe(now + 30_000);
    now += 29_999;
    expect(isAvailable(state, queue)).toBe(false);
    now += 1;
    expect(isAvailable(state, queue)).toBe(true);
    expect(message.deliveryCount).toBe(1);
    expect(settle(state, queue, token, { outcome: "complete" })).toBe(false);
    expect(queue.messages).toEqual([message]);
  });

  it("is renewed from now on, unless it is lost", () => {
    enqueue(state, queue, { body: "1" });
    const token = lock();
    now += 20_000;
    expect(renew(state, queue, token)).toBe(now + 30_000);
    now += 30_000;
    expect(renew(state, queue, token)).toBeUndefined();
  });

  it("is not taken by receive-and-delete, which removes the message", () => {
    const message = enqueue(state, queue, { body: "1" });
    expect(receive(state, queue, "take")).toBe(message);
    expect([message.lock, queue.messages]).toEqual([undefined, []]);
  });
});

describe("settling", () => {
  it("completes once", () => {
    enqueue(state, queue, { body: "1" });
    const token = lock();
    expect(settle(state, queue, token, { outcome: "complete" })).toBe(true);
    expect(settle(state, queue, token, { outcome: "complete" })).toBe(false);
    expect(queue.messages).toEqual([]);
  });

  it("releases without counting a delivery, and abandons with counting one", () => {
    const message = enqueue(state, queue, { body: "1", properties: { a: 1 } });
    settle(state, queue, lock(), { outcome: "release" });
    expect(message).toMatchObject({ deliveryCount: 0, lock: undefined });
    settle(state, queue, lock(), { outcome: "abandon", properties: { b: 2 } });
    expect(message).toMatchObject({ deliveryCount: 1, lock: undefined, properties: { a: 1, b: 2 } });
  });

  it("dead-letters with reason and description, and keeps the number", () => {
    const { sequenceNumber } = enqueue(state, queue, { body: "1" });
    settle(state, queue, lock(), {
      outcome: "deadletter",
      reason: "r",
      description: "d",
      properties: { x: 1 },
    });
    expect(queue.messages).toEqual([]);
    expect(dead().messages).toMatchObject([
      { sequenceNumber, properties: { DeadLetterReason: "r", DeadLetterErrorDescription: "d", x: 1 } },
    ]);
  });

  it("leaves a message in the dead-letter queue, however often it fails there or is dead-lettered again", () => {
    enqueue(state, queue, { body: "1" });
    settle(state, queue, lock(), { outcome: "deadletter" });
    for (let n = 0; n < 10; n += 1) {
      const token = receive(state, dead())?.lock?.token ?? "";
      expect(settle(state, dead(), token, { outcome: n % 2 ? "abandon" : "deadletter" })).toBe(true);
    }
    expect(dead().messages).toHaveLength(1);
  });

  it.each(["abandoned", "left until the lock ends"])("gives up on a message %s too often", (how) => {
    enqueue(state, queue, { body: "1" });
    for (let n = 0; n < 3; n += 1) {
      expect(dead().messages).toEqual([]);
      const token = lock();
      if (how === "abandoned") settle(state, queue, token, { outcome: "abandon" });
      else now += 30_000;
      upkeep(state, queue);
    }
    expect(queue.messages).toEqual([]);
    expect(dead().messages).toMatchObject([
      { deliveryCount: 3, properties: { DeadLetterReason: "MaxDeliveryCountExceeded" } },
    ]);
  });
});

describe("a deferred message", () => {
  it("is had by number only, stays deferred when its lock ends, and is touched with its companions or not", () => {
    const message = enqueue(state, queue, { body: "1" });
    settle(state, queue, lock(), { outcome: "defer", properties: { later: true } });
    expect(receive(state, queue)).toBeUndefined();
    expect(receiveDeferred(state, queue, [message.sequenceNumber, 99])).toBeUndefined();
    expect(message.lock).toBeUndefined();
    expect(receiveDeferred(state, queue, [message.sequenceNumber])).toEqual([message]);
    expect(receiveDeferred(state, queue, [message.sequenceNumber])).toBeUndefined();
    now += 30_000;
    upkeep(state, queue);
    expect(message).toMatchObject({ state: "deferred", deliveryCount: 1, properties: { later: true } });
    expect(receiveDeferred(state, queue, [message.sequenceNumber], "take")).toEqual([message]);
    expect(queue.messages).toEqual([]);
  });
});

describe("a scheduled message", () => {
  it("appears at its time, and its life begins then", () => {
    const message = enqueue(state, queue, { body: "1", scheduledAt: now + 5_000, timeToLive: 1_000 });
    expect(message).toMatchObject({ state: "scheduled", expiresAt: now + 6_000 });
    expect([receive(state, queue), nextChange(queue)]).toEqual([undefined, now + 5_000]);
    now += 5_000;
    expect(receive(state, queue)).toBe(message);
  });

  it("is cancelled until it has appeared, all that are named or none", () => {
    const [first, second] = [5_000, 9_000].map((wait) =>
      enqueue(state, queue, { body: "1", scheduledAt: now + wait }),
    );
    const numbers = [first!.sequenceNumber, second!.sequenceNumber];
    now += 5_000;
    expect(cancelScheduled(state, queue, numbers)).toBe(false);
    expect(queue.messages).toEqual([first, second]);
    expect(cancelScheduled(state, queue, [second!.sequenceNumber])).toBe(true);
    expect(queue.messages).toEqual([first]);
  });

  it("with a time in the past is there at once", () => {
    const message = enqueue(state, queue, { body: "1", scheduledAt: now - 5_000 });
    expect(message).toMatchObject({ state: "active", enqueuedAt: now });
  });
});

describe("an expired message", () => {
  it("is gone, or moved if the queue says so", () => {
    enqueue(state, queue, { body: "1", timeToLive: 1_000 });
    now += 1_000;
    upkeep(state, queue);
    expect([queue.messages, dead().messages]).toEqual([[], []]);
    queue.deadLetterExpired = true;
    enqueue(state, queue, { body: "2", timeToLive: 1_000 });
    now += 1_000;
    upkeep(state, queue);
    expect(dead().messages).toMatchObject([{ properties: { DeadLetterReason: "TTLExpiredException" } }]);
    now += 1_000_000;
    upkeep(state, dead());
    expect(dead().messages).toHaveLength(1);
  });

  it("can still be completed by whoever has it locked", () => {
    enqueue(state, queue, { body: "1", timeToLive: 1_000 });
    const token = lock();
    now += 2_000;
    expect(settle(state, queue, token, { outcome: "complete" })).toBe(true);
  });

  it("goes when its lock ends", () => {
    enqueue(state, queue, { body: "1", timeToLive: 1_000 });
    lock();
    now += 30_000;
    expect(receive(state, queue)).toBeUndefined();
    expect([queue.messages, nextChange(queue)]).toEqual([[], Infinity]);
  });
});

describe("a queue", () => {
  it("shows what it has from a number on", () => {
    for (const body of ["1", "2", "3"]) enqueue(state, queue, { body });
    lock();
    expect(peek(state, queue, 1, 2).map((message) => message.sequenceNumber)).toEqual([1, 2]);
    expect(peek(state, queue, 3, 9).map((message) => message.sequenceNumber)).toEqual([3]);
  });

  it("is found in any letter case, and so is its dead-letter queue, which has the queue's id", () => {
    expect(findQueue(state, "orders")).toBe(queue);
    expect(findQueue(state, "ORDERS/$DeadLetterQueue")).toBe(dead());
    expect(findQueue(state, "nowhere/$DeadLetterQueue")).toBeUndefined();
    expect(queueId(state, dead().name)).toBe(queueId(state, queue.name));
  });
});
