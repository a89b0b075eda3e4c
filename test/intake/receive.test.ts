import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import type { ReceivedMessage } from "../../src/azure/service-bus/message-source.ts";
import { Fault } from "../../src/errors.ts";
import { createIntake, type MessageOutcome } from "../../src/intake/receive.ts";
import type { Enqueue } from "../../src/queue/contracts.ts";
import { createVirtualClock, type VirtualClock } from "../support/virtual-clock.ts";
import { bytes, cloudEvent, eventData, gridEvent, policy, version } from "./fixtures.ts";

let clock: VirtualClock;
let settled: string[];
let outcomes: MessageOutcome[];
let lines: string[];
/** What the queue does with the next job; the last one stays. */
let queue: (() => Promise<string>)[];
let jobs: { data: object; options: object | undefined }[];
let stopping: AbortController;

beforeEach(() => {
  clock = createVirtualClock();
  [settled, outcomes, lines, jobs] = [[], [], [], []];
  queue = [() => Promise.resolve("job-1")];
  stopping = new AbortController();
});

const enqueue: Enqueue = async (_stage, data, options) => {
  const answer = queue.length > 1 ? queue.shift() : queue[0];
  const id = await answer?.();
  jobs.push({ data, options });
  return id ?? "";
};

function messageOf(body: unknown, changes: Partial<ReceivedMessage> = {}): ReceivedMessage {
  return {
    id: "m-1",
    body: body instanceof Uint8Array ? body : bytes(body),
    contentType: "application/json",
    properties: {},
    enqueuedAt: clock.now(),
    deliveryCount: 0,
    complete: async () => void settled.push("complete"),
    abandon: async () => void settled.push("abandon"),
    deadLetter: async (reason, description) => void settled.push(`dead-letter ${reason}: ${description}`),
    ...changes,
  };
}

const onOutcome = (outcome: MessageOutcome) => void outcomes.push(outcome);

function receive(message: ReceivedMessage): Promise<void> {
  const log = pino({ level: "debug" }, { write: (line) => void lines.push(line) });
  return createIntake({ policy, enqueue, clock, log, onOutcome })(message, stopping.signal);
}

const lockLost = () => Promise.reject(new Fault("conflict", "the lock is lost"));

const fail = (code: "unavailable" | "invalid-job" | "internal-error") => () =>
  Promise.reject(new Fault(code, `because of ${code}`));

describe("a good message", () => {
  it("is completed after its job is acknowledged, and not before", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    queue = [() => promise];
    const received = receive(messageOf(cloudEvent()));
    await clock.advance(1);
    expect(settled).toEqual([]);
    resolve("job-1");
    await received;
    expect(settled).toEqual(["complete"]);
    expect(outcomes).toEqual(["enqueued"]);
  });

  it("asks for the secret as the policy names it, once per secret and kind of trigger", async () => {
    await receive(messageOf(cloudEvent()));
    expect(jobs).toEqual([
      {
        data: {
          vault: "prod-kv",
          name: "orders-db",
          version,
          trigger: "near-expiry",
          mode: "routine",
          requestId: "7e1f0f4a-9d8c-4d27-8f3f-4f0a2d0c1b11",
        },
        options: { dedupe: "prod-kv/orders-db/expiry" },
      },
    ]);
    const name = "Session-Key";
    const Id = `https://prod-kv.vault.azure.net/secrets/${name}/${version}`;
    const type = "Microsoft.KeyVault.SecretNewVersionCreated";
    await receive(messageOf(cloudEvent({ type, subject: name, data: eventData({ Id, ObjectName: name }) })));
    expect(jobs[1]?.options).toEqual({ dedupe: "prod-kv/session-key/new-version" });
  });

  it("with several events queues each of them and is settled once", async () => {
    await receive(messageOf([gridEvent({ id: "e-1" }), gridEvent({ id: "e-2" })]));
    expect(jobs).toHaveLength(2);
    expect(settled).toEqual(["complete"]);
  });

  it("that asks for nothing is completed with a line in the log", async () => {
    const name = "orders-db--pending";
    const Id = `https://prod-kv.vault.azure.net/secrets/${name}/${version}`;
    await receive(messageOf(cloudEvent({ subject: name, data: eventData({ Id, ObjectName: name }) })));
    expect({ settled, outcomes, jobs }).toEqual({ settled: ["complete"], outcomes: ["ignored"], jobs: [] });
    expect(lines.join()).toContain("own-candidate");
  });
});

describe("a message that cannot be used", () => {
  it.each([
    ["message-too-large", Buffer.alloc(1_000_000, "marker")],
    ["message-not-json", Buffer.from("marker")],
    ["message-invalid", bytes({ marker: "marker" })],
    ["message-invalid", bytes(cloudEvent({ subject: "marker" }))],
    ["unknown-event-type", bytes(cloudEvent({ type: "marker" }))],
    ["unknown-vault", bytes(unknownVault("marker"))],
  ])("is dead-lettered as %s, and no word of it is repeated", async (code, body) => {
    await receive(messageOf(body));
    expect(settled).toEqual([expect.stringMatching(`^dead-letter ${code}: `)]);
    expect(settled.join() + lines.join()).not.toContain("marker");
    expect(jobs).toEqual([]);
    expect(outcomes).toEqual(["dead-lettered"]);
  });

  it("still gives its good events to the queue", async () => {
    await receive(messageOf([gridEvent(), gridEvent({ eventType: "Other" })]));
    expect(jobs).toHaveLength(1);
    expect(settled).toEqual([expect.stringMatching("^dead-letter unknown-event-type")]);
  });

  it("for the queue is dead-lettered, since no waiting helps", async () => {
    queue = [fail("invalid-job")];
    await receive(messageOf(cloudEvent()));
    expect(settled).toEqual([expect.stringMatching("^dead-letter invalid-job")]);
  });
});

describe("while the queue is away", () => {
  it("a message is kept for as long as it takes, and then completed", async () => {
    queue = [...Array.from({ length: 40 }, () => fail("unavailable")), () => Promise.resolve("job-1")];
    const received = receive(messageOf(cloudEvent()));
    await clock.advance(10 * 60_000);
    expect(settled).toEqual([]);
    await clock.advance(10 * 60_000);
    await received;
    expect(settled).toEqual(["complete"]);
  });

  it("a message is left to come back when keyturn stops", async () => {
    queue = [fail("unavailable")];
    const received = receive(messageOf(cloudEvent()));
    await clock.advance(60_000);
    stopping.abort();
    await received;
    expect(settled).toEqual([]);
    expect(outcomes).toEqual(["unsettled"]);
    expect(clock.sleepers).toBe(0);
  });

  it("a job that gets in after all while keyturn stops has its message completed", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    queue = [() => promise];
    const received = receive(messageOf(cloudEvent()));
    stopping.abort();
    resolve("job-1");
    await received;
    expect(settled).toEqual(["complete"]);
  });

  it("what may be a bug of ours is tried again first", async () => {
    queue = [fail("internal-error"), fail("internal-error"), () => Promise.resolve("job-1")];
    const received = receive(messageOf(cloudEvent()));
    await clock.advance(5_000);
    await received;
    expect(settled).toEqual(["complete"]);
  });

  it("what may be a bug of ours is given back after a while, so that it holds up nobody", async () => {
    queue = [fail("internal-error")];
    const received = receive(messageOf(cloudEvent()));
    await clock.advance(60_000);
    await received;
    expect(settled).toEqual(["abandon"]);
  });
});

it("a message whose lock is lost is left to come back, and nothing is thrown", async () => {
  await receive(messageOf(cloudEvent(), { complete: lockLost }));
  expect(outcomes).toEqual(["unsettled"]);
  expect(lines.join()).toContain("comes back");
});

function unknownVault(name: string): object {
  const source = `/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/${name}`;
  return cloudEvent({ source, data: eventData({ VaultName: name }) });
}
