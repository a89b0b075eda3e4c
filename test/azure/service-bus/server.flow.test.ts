import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, startFixture } from "./fixture.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

describe("sending and receiving", () => {
  it("hands out a sent message and forgets it once it is completed", async () => {
    const queue = azure.addQueue();
    const client = azure.connect();
    await client.createSender(queue.name).sendMessages({
      body: { vault: "prod" },
      messageId: "m-1",
      subject: "near-expiry",
      contentType: "application/json",
      applicationProperties: { attempt: 3, urgent: true },
    });
    const receiver = client.createReceiver(queue.name);
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5_000 });
    expect(message).toMatchObject({
      body: { vault: "prod" },
      messageId: "m-1",
      subject: "near-expiry",
      contentType: "application/json",
      applicationProperties: { attempt: 3, urgent: true },
      deliveryCount: 0,
    });
    await receiver.completeMessage(message!);
    expect(queue.messages).toEqual([]);
  });
});
