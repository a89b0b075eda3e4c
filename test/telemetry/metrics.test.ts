import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { metric } from "../../src/telemetry/names.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function setUp() {
  const reader = new Reader();
  const provider = new MeterProvider({ readers: [reader] });
  const clock = createVirtualClock();
  const metrics = createMetrics(provider.getMeter("test"), clock);
  const collect = async (name: string) => {
    const { resourceMetrics } = await reader.collect();
    const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return found.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  };
  return { metrics, clock, collect };
}

const day = 86_400_000;

describe("metrics", () => {
  it("count rotations by rotator, outcome and code, and measure them in seconds", async () => {
    const { metrics, collect } = setUp();
    metrics.rotationEnded("postgres-role", { outcome: "done" }, 90_000);
    metrics.rotationEnded("postgres-role", { outcome: "done" }, 30_000);
    metrics.rotationEnded("postgres-role", { outcome: "rejected", code: "forbidden" }, 1_000);
    const points = await collect(metric.rotations);
    expect(points.map(({ value, attributes }) => [value, attributes["keyturn.code"]])).toEqual([
      [2, undefined],
      [1, "forbidden"],
    ]);
    expect((await collect(metric.rotationDuration))[0]?.value).toMatchObject({ sum: 120, count: 2 });
  });

  it("count jobs, restarts and messages", async () => {
    const { metrics, collect } = setUp();
    metrics.jobEnded("rotate-secret", { outcome: "retried", code: "throttled" }, 10);
    metrics.restartEnded({ outcome: "done" });
    metrics.messageSettled("queued");
    for (const name of [metric.jobs, metric.restarts, metric.messages])
      expect((await collect(name)).map(({ value }) => value)).toEqual([1]);
  });

  it("tell how long an old credential outlived its successor", async () => {
    const { metrics, collect } = setUp();
    metrics.oldCredentialRetired("postgres-role", day);
    expect((await collect(metric.oldCredential))[0]?.value).toMatchObject({ sum: 86_400 });
  });

  it("tell the days to expiry of each secret as they go by", async () => {
    const { metrics, clock, collect } = setUp();
    metrics.secretSeen("kv/a", { expiresAt: clock.now() + 10 * day });
    metrics.secretSeen("kv/b", {});
    await clock.advance(12 * day);
    const points = await collect(metric.expiry);
    expect(points.map(({ value, attributes }) => [attributes["keyturn.secret"], value])).toEqual([
      ["kv/a", -2],
    ]);
  });

  it("count open rotations, and drop secrets that left the policy", async () => {
    const { metrics, clock, collect } = setUp();
    metrics.secretSeen("kv/a", { openSince: clock.now() });
    metrics.secretSeen("kv/b", { openSince: clock.now() });
    metrics.secretSeen("kv/a", {});
    expect((await collect(metric.openRotations))[0]?.value).toBe(1);
    metrics.keepOnly(new Set(["kv/a"]));
    expect((await collect(metric.openRotations))[0]?.value).toBe(0);
  });
});
