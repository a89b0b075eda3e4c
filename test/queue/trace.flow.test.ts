import { SpanStatusCode, context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { Fault } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";
import { SweepVaults } from "../../src/queue/contracts.ts";
import { deadLetters } from "../../src/queue/dead-letters.ts";
import { createEnqueue } from "../../src/queue/enqueue.ts";
import { keepSchedules } from "../../src/queue/schedules.ts";
import { safeTelemetry } from "../../src/queue/telemetry.ts";
import { inSpan } from "../../src/telemetry/span.ts";
import { until } from "../support/until.ts";
import { type RotateRun, dump, rotateJob, secretJob, startRig } from "./rig.ts";

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
const telemetry = safeTelemetry({ tracerName: "keyturn", enableMetrics: true });

beforeEach(() => exporter.reset());

const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
const rotate = (run: RotateRun) => ({ "rotate-secret": rotateJob(run) });

test("every run of a job is in the trace of whoever queued it, and so is what it queues", async () => {
  await using rig = await startRig();
  const sender = createEnqueue({ redis: rig.redis, policy: "p", telemetry });
  const runs: string[] = [];
  rig.run(
    rotate(async ({ requestId }, jobContext) => {
      runs.push(requestId);
      if (requestId === "follow-up") return { done: "ok" };
      return inSpan("rotate", {}, async () => {
        if (runs.length === 1) return { requeueAfter: Date.now(), why: "look again" };
        if (runs.length === 2) throw new Fault("unavailable", "orders-pg does not answer");
        await jobContext.enqueue("rotate-secret", { ...secretJob, requestId: "follow-up" });
        return { done: "ok" };
      });
    }),
    { telemetry, enqueue: sender.enqueue },
  );
  await inSpan("receive", {}, () => sender.enqueue("rotate-secret", secretJob));
  await until("all is told", () => named("process rotate-secret").length === 4);

  const [receive] = named("receive");
  const traceId = receive?.spanContext().traceId;
  const all = exporter.getFinishedSpans();
  expect(new Set(all.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  const parentOf = (spanId: string | undefined) =>
    all.find((span) => span.spanContext().spanId === spanId)?.name;
  const parents = (name: string) => named(name).map((span) => parentOf(span.parentSpanContext?.spanId));
  expect(parents("rotate")).toEqual([
    "process rotate-secret",
    "process rotate-secret",
    "process rotate-secret",
  ]);
  expect(parents("add rotate-secret.rotate-secret")).toEqual(["receive", "rotate"]);
  expect(parents("process rotate-secret")).toEqual(
    Array.from({ length: 4 }, () => "add rotate-secret.rotate-secret"),
  );
  await sender.close();
});

test("a sender without spans of its own hands on the trace it is in", async () => {
  await using rig = await startRig();
  const sender = createEnqueue({ redis: rig.redis, policy: "p" });
  rig.run(
    rotate(async () => ({ done: "ok" })),
    { telemetry },
  );
  await inSpan("command", {}, () => sender.enqueue("rotate-secret", secretJob));
  await until("it is told", () => named("process rotate-secret").length === 1);
  const [command] = named("command");
  const [run] = named("process rotate-secret");
  expect(run?.parentSpanContext?.spanId).toBe(command?.spanContext().spanId);
  await sender.close();
});

test("a runtime without telemetry continues the trace that the job's data names", async () => {
  await using rig = await startRig();
  const sender = createEnqueue({ redis: rig.redis, policy: "p", telemetry });
  rig.run(rotate(() => inSpan("rotate", {}, async () => ({ done: "ok" }))));
  await inSpan("receive", {}, () => sender.enqueue("rotate-secret", secretJob));
  await until("it is told", () => named("rotate").length === 1);
  expect(named("rotate")[0]?.parentSpanContext?.spanId).toBe(named("receive")[0]?.spanContext().spanId);
  await sender.close();
});

test("spans tell that a job failed and by which code, and neither results nor messages", async () => {
  await using rig = await startRig();
  const sender = createEnqueue({ redis: rig.redis, policy: "p", telemetry });
  rig.run(
    rotate(async ({ requestId }) => {
      if (requestId === "good") return { done: "a-result-text" };
      throw new Fault("forbidden", "a-message-text");
    }),
    { telemetry },
  );
  await sender.enqueue("rotate-secret", { ...secretJob, requestId: "good" });
  await sender.enqueue("rotate-secret", { ...secretJob, requestId: "bad" });
  await until("both are told", () => named("process rotate-secret").length === 2);
  const failed = named("process rotate-secret").filter((span) => span.status.code === SpanStatusCode.ERROR);
  expect(failed).toHaveLength(1);
  expect(failed[0]?.attributes["keyturn.code"]).toBe("forbidden");
  const told = JSON.stringify(
    exporter
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
  );
  expect(told).toContain("bullmq.job.id");
  expect(told).not.toMatch(/a-result-text|a-message-text|options/);
  expect((await deadLetters(rig.redis).list())[0]?.message).toBe("a-message-text");
  expect(await dump(rig.raw)).toContain("a-result-text");
  await sender.close();
});

test("each scheduled sweep is a trace of its own", async () => {
  await using rig = await startRig();
  const policy = { digest: "p", sweep: { every: 60, deep: 3_600_000 } };
  const schedules = keepSchedules({
    ...rig,
    policy,
    clock: systemClock,
    log: createLog("silent"),
    telemetry,
  });
  rig.run(
    {
      "sweep-vaults": {
        stage: "sweep-vaults",
        data: SweepVaults,
        attempts: 1,
        run: async () => ({ done: "nothing due" }),
      },
    },
    { telemetry },
  );
  await until("it ran a few times", () => named("process sweep-vaults").length >= 5);
  const traces = named("process sweep-vaults").map((span) => span.spanContext().traceId);
  expect(new Set(traces).size).toBe(traces.length);
  await schedules.close();
});

test("a worker that has nothing to do is silent", async () => {
  await using rig = await startRig();
  rig.run(
    rotate(async () => ({ done: "ok" })),
    { telemetry },
  );
  const scripts = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await rig.raw.info("commandstats"))?.[1] ?? 0);
  await until("it has looked for stalled jobs a few times", async () => (await scripts()) > 5);
  expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual([]);
});
