import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import type { MessageSource, ReceivedMessage } from "../../../src/azure/service-bus/message-source.ts";
import type { Connection, Receiver } from "../../../src/azure/service-bus/connection.ts";
import { superviseMessages } from "../../../src/azure/service-bus/supervise.ts";
import { Fault } from "../../../src/errors.ts";
import { createVirtualClock, type VirtualClock } from "../../support/virtual-clock.ts";

const log = pino({ level: "silent" });
const timing = { wait: 20_000, answer: 30_000, first: 500, longest: 30_000 };

let clock: VirtualClock;
/** One entry per connection that was opened. */
let connections: { closed: boolean; receive: Receiver["receive"][] }[];
let receive: Receiver["receive"][];
let source: MessageSource;
let handled: ReceivedMessage[];

/** An idle queue: waits as long as it is asked to. */
const idle: Receiver["receive"] = async (wait, signal) => {
  await clock.sleep(wait, signal);
  return undefined;
};

const failing: Receiver["receive"] = async () => {
  throw new Fault("not-found", "could not receive from events: the queue is not there");
};

beforeEach(() => {
  clock = createVirtualClock();
  connections = [];
  handled = [];
  receive = [idle, idle];
  source = superviseMessages({ connect, clock, timing, log });
});

function connect(): Connection {
  const opened = { closed: false, receive };
  connections.push(opened);
  return {
    receivers: receive.map((one) => ({ receive: one })),
    close: async () => void (opened.closed = true),
  };
}

const start = () => source.start(async (message) => void handled.push(message));

const message: ReceivedMessage = {
  id: "m-1",
  body: "",
  contentType: undefined,
  properties: {},
  enqueuedAt: undefined,
  deliveryCount: 0,
  complete: async () => {},
  deadLetter: async () => {},
  abandon: async () => {},
};

describe("the state", () => {
  it("is connecting until the queue has answered, which takes no message", async () => {
    start();
    await clock.advance(50);
    expect(source.state().status).toBe("connecting");
    await clock.advance(100);
    expect(source.state().status).toBe("receiving");
    await source.stop();
  });

  it("is unreachable with a reason from the first failure to the next answer", async () => {
    receive = [failing];
    const began = clock.now();
    start();
    await clock.advance(10_000);
    expect(source.state()).toEqual({ status: "unreachable", code: "not-found", since: began });
    receive = [idle];
    await clock.advance(60_000);
    expect(source.state()).toMatchObject({ status: "receiving" });
    expect(source.state().code).toBeUndefined();
    await source.stop();
  });
});

describe("a failure", () => {
  it("is tried again with growing waits, each time on a new connection, and the old one is closed", async () => {
    receive = [failing];
    start();
    await clock.advance(10_000);
    const early = connections.length;
    expect(early).toBeGreaterThanOrEqual(4);
    await clock.advance(10 * 60_000);
    expect(connections.length - early).toBeLessThanOrEqual((10 * 60_000) / (timing.longest / 2) + 1);
    expect(connections.slice(0, -1).every(({ closed }) => closed)).toBe(true);
    await source.stop();
    expect(connections.at(-1)).toMatchObject({ closed: true });
  });

  it("of one lane ends the others too, so that all start anew", async () => {
    receive = [failing, idle];
    start();
    await clock.advance(1);
    expect(connections[0]).toMatchObject({ closed: true });
    await source.stop();
  });

  it("to connect at all is a failure like any other", async () => {
    source = superviseMessages({
      connect: () => {
        throw new TypeError("a bad host name");
      },
      clock,
      timing,
      log,
    });
    start();
    await clock.advance(1);
    expect(source.state()).toMatchObject({ status: "unreachable", code: "internal-error" });
    await source.stop();
  });

  it("waits as long as the other side asks for", async () => {
    receive = [() => Promise.reject(new Fault("throttled", "busy", { retryAfter: 120_000 }))];
    start();
    await clock.advance(119_000);
    expect(connections).toHaveLength(1);
    await clock.advance(2_000);
    expect(connections).toHaveLength(2);
    await source.stop();
  });
});

it("a call that never comes back is given up, and a new connection receives", async () => {
  receive = [() => new Promise(() => {})];
  start();
  await clock.advance(30_200);
  expect(source.state()).toMatchObject({ status: "unreachable", code: "unavailable" });
  let given = false;
  receive = [(wait, signal) => (given ? idle(wait, signal) : ((given = true), Promise.resolve(message)))];
  await clock.advance(1_000);
  expect(handled).toEqual([message]);
  expect(source.state()).toMatchObject({ status: "receiving" });
  await source.stop();
});

it("stopping waits for the handler, and only then closes", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  receive = [() => Promise.resolve(message)];
  source.start(() => promise);
  await clock.advance(1);
  let stopped = false;
  const stopping = source.stop().then(() => (stopped = true));
  await clock.advance(1_000);
  expect({ stopped, connections }).toMatchObject({ stopped: false, connections: [{ closed: false }] });
  resolve();
  await stopping;
  expect(connections).toMatchObject([{ closed: true }]);
});

it("stopping does not wait for the next try", async () => {
  receive = [failing];
  start();
  await clock.advance(60_000);
  await source.stop();
  expect(clock.sleepers).toBe(0);
});
