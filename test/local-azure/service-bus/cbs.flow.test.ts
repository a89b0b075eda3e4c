import { once } from "node:events";
import rhea from "rhea";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addIdentity, type Fixture, issue, receiveOne, startFixture, until } from "./fixture.ts";
import { queueId } from "./server.ts";

let azure: Fixture;
beforeAll(async () => {
  azure = await startFixture();
});
afterAll(() => azure.close());

const refused = { code: "UnauthorizedAccess" };

describe("a token", () => {
  it("is put for a queue before its link, and again for its management node", async () => {
    const queue = azure.addQueue();
    const receiver = azure.connect().createReceiver(queue.name);
    await receiver.receiveMessages(1, { maxWaitTimeInMs: 10 });
    await receiver.peekMessages(1);
    const calls = azure.state.calls.filter(({ call }) => call.includes(queue.name));
    expect(calls.map(({ call, status }) => `${call} ${status}`)).toEqual([
      `put-token ${queue.name} 202`,
      `attach ${queue.name} 200`,
      `put-token ${queue.name}/$management 202`,
      `peek ${queue.name} 204`,
    ]);
    expect(new Set(calls.map(({ principalId }) => principalId))).toEqual(new Set([azure.worker.principalId]));
  });

  it.each([
    ["for another audience", { audience: "https://vault.azure.net" }],
    ["that has expired", { lifetime: -60 }],
  ])("%s is refused", async (_, claims) => {
    const queue = azure.addQueue();
    const token = async () => {
      const { token: text } = await issue(azure.tokens, azure.worker, claims);
      return { token: text, expiresOnTimestamp: azure.clock.now() + 3600_000 };
    };
    const client = azure.connect({ token, retries: 0 });
    await expect(client.createSender(queue.name).sendMessages({ body: 1 })).rejects.toMatchObject(refused);
    expect(azure.called(`attach ${queue.name}`)).toBe(0);
  });

  it("that is no token at all is refused", async () => {
    const queue = azure.addQueue();
    const expiresOnTimestamp = azure.clock.now() + 3600_000;
    const token = async () => ({ token: "nonsense", expiresOnTimestamp });
    const client = azure.connect({ token, retries: 0 });
    await expect(client.createSender(queue.name).sendMessages({ body: 1 })).rejects.toMatchObject(refused);
  });

  it("has to be there before a link, whoever asks", async () => {
    const queue = azure.addQueue();
    azure.server.deliver(queue.name, { body: "1" });
    const { port } = azure.server;
    const connection = rhea.connect({ transport: "tls", host: "localhost", port, reconnect: false });
    const receiver = connection.open_receiver(queue.name);
    await once(receiver, "receiver_error");
    expect(receiver.error).toMatchObject({ condition: "amqp:unauthorized-access" });
    expect(queue.messages).toMatchObject([{ lock: undefined }]);
    connection.close();
    await once(connection, "connection_close");
  });

  it("that was refused once is tried again", async () => {
    const queue = azure.addQueue();
    azure.addFault({ match: `put-token ${queue.name}`, position: "before", status: 401 });
    await azure.connect().createSender(queue.name).sendMessages({ body: 1 });
    expect(queue.messages).toHaveLength(1);
  });
});

describe("a role", () => {
  it("is needed for each direction, at the queue or above", async () => {
    const [queue, other] = [azure.addQueue(), azure.addQueue()];
    const reader = addIdentity(azure.state, "reader");
    azure.state.roleAssignments.push({
      principalId: reader.principalId,
      role: "Azure Service Bus Data Receiver",
      scope: queueId(azure.state, queue.name),
    });
    azure.server.deliver(queue.name, { body: "1" });
    const client = azure.connect({ token: () => issue(azure.tokens, reader), retries: 0 });
    const receiver = client.createReceiver(queue.name);
    expect((await receiveOne(receiver)).body).toBe(1);
    expect(await receiver.peekMessages(1)).toHaveLength(1);
    const dead = client.createReceiver(queue.name, { subQueueType: "deadLetter" });
    expect(await dead.receiveMessages(1, { maxWaitTimeInMs: 10 })).toEqual([]);
    const sender = client.createSender(queue.name);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject(refused);
    await expect(sender.scheduleMessages({ body: 1 }, new Date())).rejects.toMatchObject(refused);
    await expect(client.createReceiver(other.name).receiveMessages(1)).rejects.toMatchObject(refused);
  });
});

describe("the end of a token", () => {
  it("is met by the client with a new one two minutes before, without a storm", async () => {
    const queue = azure.addQueue();
    let asked = 0;
    // Two minutes and a second at first: the SDK renews after the second. Under two minutes it would spin.
    const token = () => issue(azure.tokens, azure.worker, { lifetime: asked++ === 0 ? 121 : 3600 });
    const receiver = azure.connect({ token }).createReceiver(queue.name);
    const seen: unknown[] = [];
    receiver.subscribe({
      processMessage: async ({ body }) => void seen.push(body),
      processError: async () => {},
    });
    await until(() => azure.called(`put-token ${queue.name}`) === 2);
    azure.clock.skip(200_000);
    azure.server.deliver(queue.name, { body: "1" });
    await until(() => seen.length === 1);
    expect(azure.called(`attach ${queue.name}`)).toBe(1);
    expect(asked).toBe(2);
  });

  it("detaches the link if no new one came; the client puts one and attaches again", async () => {
    const queue = azure.addQueue();
    let asked = 0;
    const token = () => issue(azure.tokens, azure.worker, { lifetime: asked++ === 0 ? 600 : 24 * 3600 });
    const client = azure.connect({ token });
    const errors: unknown[] = [];
    const seen: unknown[] = [];
    client.createReceiver(queue.name).subscribe({
      processMessage: async ({ body }) => void seen.push(body),
      processError: async ({ error }) => void errors.push(error),
    });
    await until(() => azure.called(`attach ${queue.name}`) === 1);
    azure.clock.skip(600_000);
    await until(() => azure.called(`attach ${queue.name}`) === 2);
    azure.server.deliver(queue.name, { body: "1" });
    await until(() => seen.length === 1);
    expect(errors).toMatchObject([refused]);
  });
});
