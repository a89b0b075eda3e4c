import { expect, test } from "vitest";
import { Fault } from "../../src/errors.ts";
import { RestartGroup } from "../../src/queue/contracts.ts";
import { deadLetters } from "../../src/queue/dead-letters.ts";
import { until } from "../support/until.ts";
import { dump, secretJob, startRig } from "./rig.ts";

test("a finished job leaves nothing but its word in the event stream", async () => {
  await using rig = await startRig();
  const runtime = rig.rotate(async () => ({ done: "rotated" }));
  const id = await rig.enqueue("rotate-secret", secretJob);
  await until("the job is gone", async () => !(await rig.raw.exists(`keyturn:rotate-secret:${id}`)));
  const events = JSON.stringify(await rig.raw.xrange("keyturn:rotate-secret:events", "-", "+"));
  expect(events).toContain(String.raw`{\"done\":\"rotated\"}`);
  expect(runtime.state).toBe("running");
});

test("a job that asks to look again keeps its hints and its attempts", async () => {
  await using rig = await startRig();
  const seen: unknown[] = [];
  rig.run({
    "restart-group": {
      stage: "restart-group",
      data: RestartGroup,
      attempts: 1,
      async run({ sentAt }, context) {
        seen.push({ sentAt, attempt: context.attempt });
        if (sentAt !== undefined && sentAt >= 2) return { done: "restarted" };
        await context.remember({ sentAt: (sentAt ?? 0) + 1 });
        return { requeueAfter: Date.now() + 5, why: "not settled yet" };
      },
    },
  });
  await rig.enqueue("restart-group", { group: "g", startedAfter: 0, secrets: [] });
  await until("it ran three times", () => seen.length === 3);
  expect(seen).toEqual([
    { sentAt: undefined, attempt: 1 },
    { sentAt: 1, attempt: 1 },
    { sentAt: 2, attempt: 1 },
  ]);
});

test("a hint that the stage's data does not know is refused", async () => {
  await using rig = await startRig();
  rig.rotate(async (_data, context) => {
    await context.remember({ unheard: 1 });
    return { done: "never" };
  });
  await rig.enqueue("rotate-secret", secretJob);
  const letter = await until("it is a dead letter", async () => (await deadLetters(rig.redis).list())[0]);
  expect(letter.code).toBe("invalid-job");
});

test("a retriable fault uses up the attempts and then is a dead letter, which can be replayed", async () => {
  await using rig = await startRig();
  const attempts: number[] = [];
  let healed = false;
  rig.rotate(async (_data, context) => {
    attempts.push(context.attempt);
    if (!healed) throw new Fault("unavailable", "orders-pg does not answer", { secret: "prod-kv/orders-db" });
    return { done: "ok" };
  });
  const jobId = await rig.enqueue("rotate-secret", secretJob);
  const letters = deadLetters(rig.redis);
  const letter = await until("it is a dead letter", async () => (await deadLetters(rig.redis).list())[0]);
  expect(attempts).toEqual([1, 2, 3]);
  expect(letter).toMatchObject({
    stage: "rotate-secret",
    jobId,
    data: secretJob,
    code: "unavailable",
    message: "orders-pg does not answer",
    attempts: 3,
  });
  healed = true;
  await letters.replay(letter.id, rig.enqueue);
  await until("the replay ran", () => attempts.length === 4);
  expect(attempts).toEqual([1, 2, 3, 1]);
  expect(await letters.list()).toEqual([]);
  await expect(letters.replay("no-such", rig.enqueue)).rejects.toMatchObject({ code: "not-found" });
});

test("a wait that the other side asked for costs no attempt", async () => {
  await using rig = await startRig();
  const attempts: number[] = [];
  rig.rotate(async (_data, context) => {
    attempts.push(context.attempt);
    if (attempts.length < 6) throw new Fault("throttled", "Key Vault is busy", { retryAfter: 5 });
    return { done: "ok" };
  }, 2);
  await rig.enqueue("rotate-secret", secretJob);
  await until("it got through", () => attempts.length === 6);
  expect(attempts).toEqual([1, 1, 1, 1, 1, 1]);
  expect(await deadLetters(rig.redis).list()).toEqual([]);
});

test("a refused job is a dead letter at once", async () => {
  await using rig = await startRig();
  let runs = 0;
  rig.rotate(async () => {
    runs++;
    throw new Fault("cannot-adopt", "the value of prod-kv/orders-db does not fit its template");
  });
  await rig.enqueue("rotate-secret", secretJob);
  await until("it is a dead letter", async () => (await deadLetters(rig.redis).list()).length);
  expect(runs).toBe(1);
});

test("the log says where a bug is, and nothing of what it said", async () => {
  await using rig = await startRig();
  rig.rotate(async () => {
    throw new TypeError("Sup3r-S3cret-Passw0rd");
  });
  await rig.enqueue("rotate-secret", secretJob);
  await until("it is logged", () => rig.lines.some((line) => line.includes("internal-error")));
  const line = rig.lines.find((each) => each.includes("internal-error")) ?? "";
  expect(JSON.parse(line)).toMatchObject({
    err: { code: "internal-error", cause: { name: "TypeError", frames: expect.anything() } },
  });
  expect(line).toContain("run-job.test.ts");
  expect(line).not.toContain("Sup3r");
});

test("nothing of a foreign error gets into Redis or the log", async () => {
  await using rig = await startRig();
  const canary = "Sup3r-S3cret-Passw0rd";
  rig.rotate(async (_data, context) => {
    if (context.attempt === 1) throw new Error(`login failed for orders_a with ${canary}`);
    const cause = new Error(`ALTER ROLE orders_a PASSWORD '${canary}'`);
    if (context.attempt === 2) throw new Fault("unavailable", "orders-pg does not answer", { cause });
    throw { message: canary };
  });
  await rig.enqueue("rotate-secret", secretJob);
  await until("it is a dead letter", async () => (await deadLetters(rig.redis).list()).length);
  await until("its end is announced", async () => (await dump(rig.raw)).includes('"failed"'));
  const stored = await dump(rig.raw);
  expect(stored).toContain("unexpected object");
  expect(stored).not.toContain(canary);
  expect(rig.lines.join()).toContain("internal-error");
  expect(rig.lines.join()).not.toContain(canary);
});

test("a job that cannot be read is refused without being kept", async () => {
  await using rig = await startRig();
  let runs = 0;
  const id = await rig.enqueue("rotate-secret", secretJob);
  await rig.raw.hset(
    `keyturn:rotate-secret:${id}`,
    "data",
    JSON.stringify({ v: 1, policy: "p", ...secretJob, value: "Sup3r-S3cret-Passw0rd" }),
  );
  rig.rotate(async () => {
    runs++;
    return { done: "never" };
  });
  const letters = deadLetters(rig.redis);
  const letter = await until("it is a dead letter", async () => (await deadLetters(rig.redis).list())[0]);
  expect(letter).toMatchObject({ code: "invalid-job", message: "job: unrecognized_keys" });
  await until("the record is gone", async () => !(await rig.raw.exists(`keyturn:rotate-secret:${id}`)));
  expect(await dump(rig.raw)).not.toContain("Sup3r");
  expect(runs).toBe(0);
  await expect(letters.replay(letter.id, rig.enqueue)).rejects.toMatchObject({
    code: "not-supported",
  });
});

test("a job of a newer version is put back for a replica that can read it", async () => {
  await using rig = await startRig();
  const id = await rig.enqueue("rotate-secret", secretJob);
  await rig.raw.hset(`keyturn:rotate-secret:${id}`, "data", JSON.stringify({ v: 2, novel: true }));
  rig.rotate(async () => ({ done: "never" }));
  await until("it waits", async () => (await rig.raw.zcard("keyturn:rotate-secret:delayed")) === 1);
  expect(await deadLetters(rig.redis).list()).toEqual([]);
  expect(await rig.raw.hget(`keyturn:rotate-secret:${id}`, "data")).toContain("novel");
});
