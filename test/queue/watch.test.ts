import { expect, test } from "vitest";
import { Fault } from "../../src/errors.ts";
import { type WatchedProgress, watchProgress } from "../../src/queue/watch.ts";
import { until } from "../support/until.ts";
import { secretJob, startRig } from "./rig.ts";

async function collect(watch: AsyncIterable<WatchedProgress>, into: WatchedProgress[]): Promise<void> {
  for await (const progress of watch) into.push(progress);
}

test("a watcher sees every step of the jobs that were queued after it was ready, and how they ended", async () => {
  await using rig = await startRig();
  rig.rotate(async ({ requestId }, context) => {
    await context.progress({ step: "intent", text: "asked by an operator", secret: "prod-kv/orders-db" });
    await context.progress({ step: "parked", text: "candidate parked" });
    if (requestId === "bad") throw new Fault("forbidden", "keyturn may not write it");
    return { done: "rotated" };
  });
  await rig.enqueue("rotate-secret", { ...secretJob, requestId: "before" });
  await until("it is done", async () => (await rig.raw.keys("keyturn:rotate-secret:[0-9]*")).length === 0);

  const stop = new AbortController();
  const watch = watchProgress(rig.redis, { signal: stop.signal });
  const seen: WatchedProgress[] = [];
  const collecting = collect(watch, seen);
  await watch.ready;
  const good = await rig.enqueue("rotate-secret", secretJob);
  const bad = await rig.enqueue("rotate-secret", { ...secretJob, requestId: "bad" });
  await until("both are over", () => seen.length === 6);
  stop.abort();
  await collecting;

  const of = (jobId: string) =>
    seen.filter((one) => one.jobId === jobId).map(({ step, text }) => [step, text]);
  expect(of(good)).toEqual([
    ["intent", "asked by an operator"],
    ["parked", "candidate parked"],
    ["completed", "rotated"],
  ]);
  expect(seen.find(({ step }) => step === "failed")).toMatchObject({
    jobId: bad,
    text: "keyturn may not write it",
    code: "forbidden",
    secret: "prod-kv/orders-db",
  });
  expect(seen[0]).toMatchObject({ stage: "rotate-secret", secret: "prod-kv/orders-db" });
});

test("a watcher outlives Redis", async () => {
  await using rig = await startRig();
  rig.rotate(async () => ({ done: "ok" }));
  const stop = new AbortController();
  const watch = watchProgress(rig.redis, { stages: ["rotate-secret"], signal: stop.signal });
  const seen: WatchedProgress[] = [];
  const collecting = collect(watch, seen);
  await watch.ready;
  await rig.server.kill();
  await rig.server.restart();
  await until("it is taken", () => rig.enqueue("rotate-secret", secretJob).catch(() => undefined));
  await until("it is seen", () => seen.some(({ step }) => step === "completed"));
  stop.abort();
  await collecting;
});

test("without Redis the watcher is told so", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  await rig.server.kill();
  await until("that is noticed", () => rig.redis.state() === "unreachable");
  const stop = new AbortController();
  await expect(watchProgress(rig.redis, { signal: stop.signal }).ready).rejects.toMatchObject({
    code: "unavailable",
  });
  stop.abort();
});
