import { expect, test } from "vitest";
import { isFault } from "../../src/errors.ts";
import { until } from "../support/until.ts";
import { secretJob, startRig } from "./rig.ts";

test("a job carries a version, the sender's policy and its data, and its id is the answer", async () => {
  await using rig = await startRig();
  const id = await rig.enqueue("rotate-secret", secretJob);
  const data = await rig.raw.hget(`keyturn:rotate-secret:${id}`, "data");
  expect(JSON.parse(data ?? "")).toEqual({ v: 1, policy: "policy-1", ...secretJob });
});

test("data that does not fit the stage is refused without being quoted", async () => {
  await using rig = await startRig();
  const bad = { ...secretJob, password: "hunter2-hunter2", name: "x".repeat(128) };
  const error = await rig.enqueue("rotate-secret", bad).catch((caught: unknown) => caught);
  expect(isFault(error, "invalid-job") && error.message).toBe(
    "rotate-secret: name: too_big, job: unrecognized_keys",
  );
  expect(await rig.raw.keys("keyturn:rotate-secret:*")).toEqual([]);
});

test("a second job with the same key is dropped while the first one waits, and its id is the first one's", async () => {
  await using rig = await startRig();
  const first = await rig.enqueue("rotate-secret", secretJob, { dedupe: "prod-kv/orders-db" });
  const second = await rig.enqueue("rotate-secret", secretJob, { dedupe: "prod-kv/orders-db" });
  const other = await rig.enqueue("rotate-secret", secretJob, { dedupe: "prod-kv/billing-db" });
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect(await rig.raw.llen("keyturn:rotate-secret:wait")).toBe(2);
});

test("triggers that come while the job runs become one run after it, with the last one's data", async () => {
  await using rig = await startRig();
  const runs: string[] = [];
  const gate = Promise.withResolvers<void>();
  rig.rotate(async ({ requestId }) => {
    runs.push(requestId);
    if (requestId === "first") await gate.promise;
    return { done: "ok" };
  });
  const send = (requestId: string) =>
    rig.enqueue("rotate-secret", { ...secretJob, requestId }, { dedupe: "prod-kv/orders-db" });
  await send("first");
  await until("it runs", () => runs.length === 1);
  await send("second");
  await send("third");
  gate.resolve();
  await until("it ran again", () => runs.length === 2);
  await send("fourth");
  await until("a later trigger is a job of its own", () => runs.includes("fourth"));
  expect(runs).toEqual(["first", "third", "fourth"]);
});

test("a delayed job waits until it is due", async () => {
  await using rig = await startRig();
  const id = await rig.enqueue("rotate-secret", secretJob, { delay: 3_600_000 });
  expect(await rig.raw.zrange("keyturn:rotate-secret:delayed", "0", "-1")).toEqual([id]);
});

test("without Redis the sender is told so, and once Redis is back it works again", async () => {
  await using rig = await startRig();
  await rig.enqueue("rotate-secret", secretJob);
  await rig.server.kill();
  const error = await rig.enqueue("rotate-secret", secretJob).catch((caught: unknown) => caught);
  expect(isFault(error, "unavailable")).toBe(true);
  await rig.server.restart();
  await until("it is taken", () => rig.enqueue("rotate-secret", secretJob).catch(() => undefined));
});
