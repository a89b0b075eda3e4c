import { createAzureSdkInstrumentation } from "@azure/opentelemetry-instrumentation-azure-sdk";
import * as coreTracing from "@azure/core-tracing";
import { SpanKind, context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { pino } from "pino";
import { z } from "zod";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { MessageSource } from "../../src/azure/service-bus/message-source.ts";
import { systemClock } from "../../src/clock.ts";
import { Fault } from "../../src/errors.ts";
import { createIntake, type MessageOutcome } from "../../src/intake/receive.ts";
import type { Policy } from "../../src/policy/policy.ts";
import type { Enqueue } from "../../src/queue/contracts.ts";
import { attribute } from "../../src/telemetry/names.ts";
import { createEventGrid, type EventGrid } from "../local-azure/event-grid.ts";
import { isEmpty, type Receiving, startReceiving } from "../local-azure/receiving.ts";
import { addVault } from "../local-azure/resources.ts";
import type { EventSubscription, QueueState, SecretVersionState, VaultState } from "../local-azure/state.ts";
import { load, policyText } from "../policy/fixtures.ts";
import { until } from "../support/until.ts";
import { cloudEvent, eventData } from "./fixtures.ts";

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
traceAzureSdk();

const secrets = Array.from({ length: 20 }, (_, index) => `secret-${index}`);

let azure: Receiving;
let eventGrid: EventGrid;
let vault: VaultState;
let policy: Policy;
beforeAll(async () => {
  azure = await startReceiving();
  eventGrid = createEventGrid(azure.state, (queue, message) => azure.server.deliver(queue, message));
  vault = addVault(azure.state, "prod-kv");
  vault.url = "https://localhost:8443";
  const list = secrets.map((name) => `  - { vault: prod-kv, name: ${name}, rotator: plain }`).join("\n");
  const loaded = load(policyText({ secrets: `\n${list}\n` }));
  // The same vault where the local Azure serves it.
  policy = { ...loaded, vaults: [{ name: "prod-kv", id: vault.id.toLowerCase(), url: vault.url }] };
});
afterAll(async () => {
  eventGrid.close();
  await azure[Symbol.asyncDispose]();
});

const Asked = z.object({ vault: z.string(), name: z.string(), trigger: z.string() });

interface Job {
  readonly secret: string;
  readonly trigger: string;
  readonly traceId: string | undefined;
}

let jobs: Job[];
/** How many times more the queue refuses. */
let refusals: number;
let outcomes: string[];
beforeEach(() => {
  [jobs, refusals, outcomes] = [[], 0, []];
});

const enqueue: Enqueue = async (_stage, data) => {
  if (refusals > 0) {
    refusals -= 1;
    throw new Fault("unavailable", "Redis is away");
  }
  const { vault: where, name, trigger } = Asked.parse(data);
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  jobs.push({ secret: `${where}/${name}`, trigger, traceId });
  return `job-${jobs.length}`;
};

const onOutcome = (outcome: MessageOutcome, code?: string) => void outcomes.push(code ?? outcome);

const running: MessageSource[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((source) => source.stop()));
});

function startIntake(queue: QueueState): MessageSource {
  const log = pino({ level: "silent" });
  const handle = createIntake({ policy, enqueue, clock: systemClock, log, onOutcome, firstWait: 10 });
  const source = azure.receive(queue.name, handle);
  running.push(source);
  return source;
}

function subscribe(queue: QueueState, changes: Partial<EventSubscription> = {}): void {
  const schema = "CloudEventSchemaV1_0" as const;
  azure.state.eventSubscriptions.splice(0, Infinity, {
    name: "keyturn",
    source: vault.id,
    queue: queue.name,
    schema,
    eventTypes: [],
    ...changes,
  });
}

function emit(name: string): void {
  const version: SecretVersionState = {
    version: "0123456789abcdef0123456789abcdef",
    value: "hunter2",
    contentType: undefined,
    tags: {},
    enabled: true,
    created: 1,
    updated: 1,
    nbf: undefined,
    exp: 1_770_000_000,
  };
  eventGrid({ type: "Microsoft.KeyVault.SecretNearExpiry", vault, name, version });
}

describe.each(["CloudEventSchemaV1_0", "EventGridSchema"] as const)("events in %s", (schema) => {
  it("become jobs, five copies out of order too, and every message is settled", async () => {
    const queue = azure.addQueue();
    subscribe(queue, { schema, copies: 5, shuffle: true });
    startIntake(queue);
    for (const name of secrets) emit(name);
    await until("all jobs are queued", () => jobs.length === 100);
    await isEmpty(queue);
    expect(new Set(jobs.map(({ secret }) => secret))).toEqual(
      new Set(secrets.map((name) => `prod-kv/${name}`)),
    );
    expect(azure.deadLetters(queue)).toEqual([]);
  });
});

it("bad messages end in the dead-letter queue with a reason code, and the good one behind them is served", async () => {
  const queue = azure.addQueue();
  subscribe(queue);
  const event = (changes: object) => JSON.stringify(cloudEvent({ source: vault.id, ...changes }));
  const evil = `https://evil.example/secrets/secret-0/${"0".repeat(32)}`;
  const bad: [reason: string, body: string | Uint8Array][] = [
    ["message-too-large", "x".repeat(250_000)],
    ["message-not-json", Buffer.from([0xff, 0xfe])],
    ["message-not-json", ""],
    ["message-invalid", "[".repeat(10_000) + "]".repeat(10_000)],
    ["message-invalid", `{"__proto__":{"id":1}}`],
    ["message-invalid", event({ subject: "secret-0", data: eventData({ Id: evil }) })],
    ["unknown-event-type", event({ type: "Microsoft.KeyVault.KeyNearExpiry" })],
    ["unknown-vault", event({ source: vault.id.replace("prod-kv", "evil-kv"), data: vaultNamed("evil-kv") })],
  ];
  for (const [, body] of bad) azure.server.deliver(queue.name, { body });
  emit("secret-3");
  startIntake(queue);
  await isEmpty(queue);
  const reasons = azure.deadLetters(queue).map(({ properties }) => properties.DeadLetterReason);
  expect(count(reasons)).toEqual(count(bad.map(([reason]) => reason)));
  expect(jobs).toMatchObject([{ secret: "prod-kv/secret-3" }]);
});

it("a secret that the policy does not name is completed without a job", async () => {
  const queue = azure.addQueue();
  subscribe(queue);
  emit("nobody-knows");
  emit("secret-0--pending");
  startIntake(queue);
  await isEmpty(queue);
  await until("the outcomes are told", () => outcomes.length === 2);
  expect({ jobs, outcomes }).toEqual({ jobs: [], outcomes: ["ignored", "ignored"] });
  expect(azure.deadLetters(queue)).toEqual([]);
});

describe("a queue that is away", () => {
  it("holds messages back without using up their deliveries, and all are served afterwards", async () => {
    const queue = azure.addQueue();
    subscribe(queue);
    refusals = 30;
    startIntake(queue);
    for (const name of secrets) emit(name);
    await until("it has been tried", () => refusals < 20);
    expect(queue.messages.filter(({ lock }) => lock).length).toBeLessThanOrEqual(4);
    expect(queue.messages.map(({ deliveryCount }) => deliveryCount)).toEqual(Array(20).fill(0));
    await isEmpty(queue);
    expect(jobs).toHaveLength(20);
    expect(azure.deadLetters(queue)).toEqual([]);
  });

  it("lets a worker stop; its message comes back when the lock ends, and the next worker serves it", async () => {
    const queue = azure.addQueue({ lockDuration: 2_000 });
    subscribe(queue);
    const many = 1_000_000;
    refusals = many;
    const source = startIntake(queue);
    emit("secret-1");
    await until("it was tried", () => refusals < many);
    await source.stop();
    expect(outcomes).toEqual(["cancelled"]);
    refusals = 0;
    startIntake(queue);
    await isEmpty(queue);
    await until("the outcome is told", () => outcomes.length === 2);
    expect(outcomes).toEqual(["cancelled", "enqueued"]);
  });

  it("longer than the lock lets the message come back, and it is settled in the end", async () => {
    const queue = azure.addQueue({ lockDuration: 200 });
    subscribe(queue);
    refusals = 7;
    startIntake(queue);
    emit("secret-2");
    await isEmpty(queue);
    await until("the job is queued", () => jobs.length > 0);
    expect(azure.deadLetters(queue)).toEqual([]);
  });
});

const spansOf = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);

describe("the trace", () => {
  it("begins with the receive, names the event, and goes on into the job and the settlement", async () => {
    const queue = azure.addQueue();
    subscribe(queue);
    startIntake(queue);
    exporter.reset();
    emit("secret-4");
    await isEmpty(queue);
    const name = "receive Microsoft.KeyVault.SecretNearExpiry";
    const span = await until("the span ends", () => spansOf(name)[0]);
    expect(span.kind).toBe(SpanKind.CONSUMER);
    expect(span.parentSpanContext).toBeUndefined();
    expect(span.attributes).toMatchObject({
      [attribute.event]: expect.stringMatching(/^[0-9a-f-]{36}$/),
      [attribute.secret]: "prod-kv/secret-4",
      [attribute.trigger]: "near-expiry",
      [attribute.outcome]: "enqueued",
    });
    const traceId = span.spanContext().traceId;
    expect(jobs).toMatchObject([{ traceId }]);
    expect(spansOf("ServicebusReceiver.complete")[0]?.spanContext().traceId).toBe(traceId);
  });

  it("is not begun by a queue in which nothing happens", async () => {
    const queue = azure.addQueue();
    exporter.reset();
    const source = startIntake(queue);
    await until("it receives", () => source.state().status === "receiving");
    await source.stop();
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  it("of a message is its own, also when the source was started inside another one", async () => {
    const queue = azure.addQueue();
    subscribe(queue);
    const startedIn = trace.getTracer("test").startActiveSpan("start", (span) => {
      startIntake(queue);
      span.end();
      return span.spanContext().traceId;
    });
    emit("secret-5");
    await isEmpty(queue);
    expect(jobs).toHaveLength(1);
    expect(jobs[0]?.traceId).not.toBe(startedIn);
  });
});

function vaultNamed(name: string): object {
  return eventData({ VaultName: name });
}

function count(items: readonly unknown[]): Record<string, number> {
  return Object.fromEntries(
    Map.groupBy(items, String)
      .entries()
      .map(([item, all]) => [item, all.length]),
  );
}

/** Directly, since import hooks do not see ES modules. */
function traceAzureSdk(): void {
  const instrumentation: object = createAzureSdkInstrumentation({ enabled: false });
  const init: unknown = Reflect.get(instrumentation, "init");
  if (typeof init !== "function") throw new TypeError("the Azure SDK's instrumentation has changed");
  const patch: unknown = Reflect.get(Reflect.apply(init, instrumentation, []), "patch");
  if (typeof patch === "function") Reflect.apply(patch, undefined, [coreTracing]);
}
