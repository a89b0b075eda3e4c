import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, receiveOne, startFixture, until } from "./fixture.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

/** Fast enough to see an operation give up. */
const impatient = { retries: 0, timeout: 1_000 };

describe("a dropped connection", () => {
  it("is opened again by a subscriber, which then gets what comes later", async () => {
    const queue = azure.addQueue();
    const seen: unknown[] = [];
    const errors: unknown[] = [];
    azure
      .connect()
      .createReceiver(queue.name)
      .subscribe({
        processMessage: async ({ body }) => void seen.push(body),
        processError: async ({ error }) => void errors.push(error),
      });
    await until(() => azure.called(`attach ${queue.name}`) === 1);
    for (const round of [1, 2]) {
      azure.server.dropConnections();
      azure.server.deliver(queue.name, { body: `${round}` });
      await until(() => seen.length === round && queue.messages.length === 0);
    }
    expect(seen).toEqual([1, 2]);
    expect(errors).toEqual([]);
  });

  it("is opened again by a sender, whose send meanwhile waits its time out and is sent again", async () => {
    const queue = azure.addQueue();
    const sender = azure.connect({ timeout: 1_000 }).createSender(queue.name);
    await sender.sendMessages({ body: 1 });
    azure.server.dropConnections();
    await sender.sendMessages({ body: 2 });
    await sender.sendMessages({ body: 3 });
    expect(queue.messages.length).toBeGreaterThanOrEqual(3);
  });

  it("in the middle of a handler leaves the message locked; it comes back when the lock has run out", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure
      .connect(impatient)
      .createReceiver(queue.name, { maxAutoLockRenewalDurationInMs: 0 });
    const ends: string[] = [];
    receiver.subscribe(
      {
        async processMessage(message) {
          if (message.deliveryCount === 0) azure.server.dropConnections();
          // The first delivery is bound to the link that is gone: the SDK waits its time out, then gives up.
          const settling = receiver.completeMessage(message);
          ends.push(
            await settling.then(
              () => "completed",
              () => "gave up",
            ),
          );
        },
        processError: async () => {},
      },
      { autoCompleteMessages: false },
    );
    await until(() => ends.length === 1 && azure.called(`attach ${queue.name}`) === 2);
    expect(queue.messages).toMatchObject([{ deliveryCount: 0, lock: {} }]);
    azure.clock.skip(30_001);
    await until(() => ends.length === 2);
    expect(ends).toEqual(["gave up", "completed"]);
    expect(queue.messages).toEqual([]);
  });
});

describe("closing the server", () => {
  it("waits for no client that is only just connecting", async () => {
    const server = await azure.startAnother();
    const connecting = connect(server.port, "127.0.0.1").on("error", () => {});
    await once(connecting.resume(), "connect");
    await server.close();
    await until(() => connecting.closed);
  });
});

describe("a fault", () => {
  it("refuses an operation with an AMQP error, which the client tries again if it is told to", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `transfer ${queue.name}`, position: "before", status: 503 });
    await azure.connect().createSender(queue.name).sendMessages({ body: 1 });
    expect(statuses(`transfer ${queue.name}`)).toEqual([503, 200]);
    expect(queue.messages).toHaveLength(1);
  });

  it("refuses an attach", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `attach ${queue.name}`, position: "before", status: 404 });
    const sender = azure.connect().createSender(queue.name);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: "MessagingEntityNotFound" });
  });

  it("drops the connection before an operation, which then has not happened", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `attach ${queue.name}`, position: "before" });
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect().createReceiver(queue.name);
    receiver.subscribe({ processMessage: async () => {}, processError: async () => {} });
    await until(() => queue.messages.length === 0);
    expect(statuses(`attach ${queue.name}`)).toEqual([0, 200]);
    expect(statuses(`receive ${queue.name}`)).toEqual([200]);
  });

  it("loses the answer to a send: the message is there, the sender does not know it", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `transfer ${queue.name}`, position: "lost" });
    const sender = azure.connect(impatient).createSender(queue.name);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: "ServiceTimeout" });
    expect(queue.messages).toHaveLength(1);
  });

  it("loses the answer to a completion: the message is gone, the receiver does not know it", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect(impatient).createReceiver(queue.name);
    const message = await receiveOne(receiver);
    azure.addFault({ match: `complete ${queue.name}`, position: "lost" });
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({ code: "ServiceTimeout" });
    expect(queue.messages).toEqual([]);
  });

  it("answers otherwise than it acted", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect().createReceiver(queue.name);
    azure.addFault({ match: `complete ${queue.name}`, position: "after", status: 410 });
    const settling = receiver.completeMessage(await receiveOne(receiver));
    await expect(settling).rejects.toMatchObject({ code: "MessageLockLost" });
    expect(queue.messages).toEqual([]);
  });

  it("loses a message on its way to the receiver: it stays locked, and counts when the lock ends", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `receive ${queue.name}`, position: "lost" });
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect().createReceiver(queue.name);
    await expect(receiver.receiveMessages(1)).rejects.toThrow("connection");
    expect(queue.messages).toMatchObject([{ lock: {} }]);
    azure.clock.skip(30_001);
    expect(await receiveOne(receiver)).toMatchObject({ deliveryCount: 1 });
  });

  it.each([
    ["abandon", "abandonMessage"],
    ["deadletter", "deadLetterMessage"],
    ["defer", "deferMessage"],
  ] as const)("refuses to %s", async (call, settle) => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure.connect(impatient).createReceiver(queue.name);
    const message = await receiveOne(receiver);
    azure.addFault({ match: `${call} ${queue.name}`, position: "before", status: 410 });
    await expect(receiver[settle](message)).rejects.toMatchObject({ code: "MessageLockLost" });
    expect(queue.messages).toMatchObject([{ state: "active", lock: {} }]);
  });

  it("refuses a renewal", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const receiver = azure
      .connect(impatient)
      .createReceiver(queue.name, { maxAutoLockRenewalDurationInMs: 0 });
    const message = await receiveOne(receiver);
    azure.addFault({
      match: `renew ${queue.name}`,
      position: "before",
      status: 503,
      code: "com.microsoft:timeout",
    });
    await expect(receiver.renewMessageLock(message)).rejects.toMatchObject({ code: "ServiceTimeout" });
  });

  it("delays an operation", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `transfer ${queue.name}`, position: "before", delay: 3600_000 });
    const sending = azure.connect().createSender(queue.name).sendMessages({ body: 1 });
    await until(
      () =>
        azure.called(`attach ${queue.name}`) === 1 && azure.state.faults.every(({ times }) => times === 0),
    );
    expect(queue.messages).toEqual([]);
    azure.clock.skip(3600_000);
    await sending;
    expect(queue.messages).toHaveLength(1);
  });
});

function statuses(call: string): number[] {
  return azure.state.calls.filter((made) => made.call === call).map(({ status }) => status);
}
