import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ReceivedMessage } from "../../src/azure/service-bus/message-source.ts";
import { until } from "../support/until.ts";
import { isEmpty, type Receiving, startReceiving } from "./receiving.ts";

let azure: Receiving;
beforeAll(async () => {
  azure = await startReceiving();
});
afterAll(() => azure[Symbol.asyncDispose]());

const getToken = () => Promise.reject(Object.assign(new Error(), { name: "CredentialUnavailableError" }));

const isOdd = (id: string) => Number(id) % 2 === 1;

const complete = (message: ReceivedMessage) => message.complete();

describe("a message", () => {
  it.each([
    ["JSON", Buffer.from(`{"a": 1}`)],
    ["not JSON", Buffer.from([0xff, 0x00, 0x7b])],
    ["empty", Buffer.alloc(0)],
    ["200,000 bytes", Buffer.alloc(200_000, "[")],
  ])("arrives as the bytes that were sent when they are %s", async (_, body) => {
    const queue = azure.addQueue();
    const received: ReceivedMessage[] = [];
    azure.receive(queue.name, async (message) => {
      received.push(message);
      await message.complete();
    });
    azure.server.deliver(queue.name, {
      body,
      messageId: "m-1",
      contentType: "application/json",
      properties: { "aeg-event-type": "Notification" },
    });
    await isEmpty(queue);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      id: "m-1",
      contentType: "application/json",
      properties: { "aeg-event-type": "Notification" },
      deliveryCount: 0,
      enqueuedAt: expect.any(Number),
    });
    expect(received[0]?.body).toEqual(body);
  });

  it("that is given back comes again and is counted", async () => {
    const queue = azure.addQueue();
    const counts: number[] = [];
    azure.receive(queue.name, async (message) => {
      counts.push(message.deliveryCount);
      await (message.deliveryCount < 2 ? message.abandon() : message.complete());
    });
    azure.server.deliver(queue.name, { body: "x" });
    await isEmpty(queue);
    expect(counts).toEqual([0, 1, 2]);
  });

  it("whose lock is lost cannot be settled, says so, and comes again", async () => {
    const queue = azure.addQueue({ lockDuration: 1_500 });
    const codes: unknown[] = [];
    const handle = async (message: ReceivedMessage) => {
      if (message.deliveryCount === 0) await until("its lock ends", () => !queue.messages[0]?.lock);
      await message.complete().catch((error: unknown) => codes.push(error));
    };
    azure.receive(queue.name, handle, { lanes: 1 });
    azure.server.deliver(queue.name, { body: "x" });
    await isEmpty(queue);
    expect(codes).toMatchObject([{ code: "conflict" }]);
  });
});

it("messages settled at the same moment each get their own outcome", async () => {
  const queue = azure.addQueue();
  let waiting: (() => void)[] = [];
  azure.receive(
    queue.name,
    async (message) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await (isOdd(message.id) ? message.deadLetter("message-invalid", "odd") : message.complete());
    },
    { lanes: 10 },
  );
  for (let id = 0; id < 100; id += 1) azure.server.deliver(queue.name, { body: "x", messageId: String(id) });
  for (let left = 100; left > 0; left -= 10) {
    await until("ten messages wait", () => waiting.length === 10);
    const batch = waiting;
    waiting = [];
    for (const go of batch) go();
  }
  await isEmpty(queue);
  const dead = azure.deadLetters(queue);
  expect(dead).toHaveLength(50);
  expect(dead.every(({ messageId }) => isOdd(messageId))).toBe(true);
  expect(dead[0]?.properties).toMatchObject({
    DeadLetterReason: "message-invalid",
    DeadLetterErrorDescription: "odd",
  });
});

describe("the state", () => {
  it("tells of a queue that is not there, and recovers by itself when it is made", async () => {
    const source = azure.receive("made-later", complete);
    await until("it fails", () => source.state().status === "unreachable");
    expect(source.state()).toMatchObject({ code: "not-found" });
    const queue = azure.addQueue({ name: "made-later" });
    await until("it receives", () => source.state().status === "receiving");
    azure.server.deliver(queue.name, { body: "x" });
    await isEmpty(queue);
  });

  it("tells of a missing role", async () => {
    const queue = azure.addQueue({ allowed: false });
    const source = azure.receive(queue.name, complete);
    await until("it fails", () => source.state().status === "unreachable");
    expect(source.state()).toMatchObject({ code: "forbidden" });
    await source.stop();
  });

  it("tells of an identity without a token", async () => {
    const queue = azure.addQueue();
    const source = azure.receive(queue.name, complete, { credential: { getToken } });
    await until("it fails", () => source.state().status === "unreachable");
    expect(source.state()).toMatchObject({ code: "unavailable" });
    await source.stop();
  });

  it("is known on an idle queue soon after the start", async () => {
    const source = azure.receive(azure.addQueue().name, complete);
    await until("it receives", () => source.state().status === "receiving", { limit: 60_000 });
  });
});

describe("a connection that is lost", () => {
  it("while a handler runs costs neither its settlement nor the messages behind it", async () => {
    const queue = azure.addQueue();
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const seen: string[] = [];
    const done: string[] = [];
    const source = azure.receive(
      queue.name,
      async (message) => {
        seen.push(message.id);
        if (message.id === "first") await mayGoOn;
        await message.complete();
        done.push(message.id);
      },
      { lanes: 2 },
    );
    azure.server.deliver(queue.name, { body: "x", messageId: "first" });
    await until("the first is handled", () => seen.length === 1);
    azure.server.dropConnections();
    azure.server.deliver(queue.name, { body: "x", messageId: "second" });
    await until("the loss is noticed", () => source.state().status === "unreachable");
    goOn();
    await isEmpty(queue);
    await until("both handlers end", () => done.length === 2);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual(["first", "second"]);
  });

  it("while nothing happens is made anew", async () => {
    const queue = azure.addQueue();
    const source = azure.receive(queue.name, complete);
    await until("it receives", () => source.state().status === "receiving");
    for (let round = 0; round < 5; round += 1) {
      azure.server.dropConnections();
      azure.server.deliver(queue.name, { body: "x" });
      await isEmpty(queue);
    }
  });

  it("with its server is told, and found again when the server is back", async () => {
    const queue = azure.addQueue();
    const source = azure.receive(queue.name, complete);
    await until("it receives", () => source.state().status === "receiving");
    const bringBack = await azure.takeDown();
    await until("it notices", () => source.state().status === "unreachable");
    expect(source.state()).toMatchObject({ code: "unavailable" });
    await bringBack();
    azure.server.deliver(queue.name, { body: "x" });
    await isEmpty(queue);
    expect(source.state().status).toBe("receiving");
  });
});

it("a server that is away at the start is waited for", async () => {
  const queue = azure.addQueue();
  const bringBack = await azure.takeDown();
  const source = azure.receive(queue.name, complete);
  await until("it fails", () => source.state().status === "unreachable");
  await bringBack();
  azure.server.deliver(queue.name, { body: "x" });
  await isEmpty(queue);
});

it("a link that the service closes is made anew", async () => {
  const queue = azure.addQueue();
  azure.receive(queue.name, complete);
  azure.state.faults.push({
    id: "detach",
    service: "service-bus",
    match: `receive ${queue.name}`,
    position: "before",
    status: 503,
    times: 3,
  });
  azure.server.deliver(queue.name, { body: "x" });
  await isEmpty(queue);
});

it("stopping takes no new message and lets the one in work be settled", async () => {
  const queue = azure.addQueue();
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  let seen = 0;
  const source = azure.receive(
    queue.name,
    async (message) => {
      seen += 1;
      await mayGoOn;
      await message.complete();
    },
    { lanes: 1 },
  );
  azure.server.deliver(queue.name, { body: "1" });
  await until("it is in work", () => seen === 1);
  azure.server.deliver(queue.name, { body: "2" });
  const stopped = source.stop();
  goOn();
  await stopped;
  expect(seen).toBe(1);
  expect(queue.messages).toMatchObject([{ deliveryCount: 0, lock: undefined }]);
});
