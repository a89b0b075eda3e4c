import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { Fault } from "../../src/errors.ts";
import { addDeadLetter, deadLetters } from "../../src/queue/dead-letters.ts";
import { until } from "../support/until.ts";
import { secretJob, startRig } from "./rig.ts";

const letter = { stage: "rotate-secret", jobId: "1", code: "forbidden", message: "no", attempts: 1 } as const;

test("the newest thousand are kept, newest first", async () => {
  await using rig = await startRig();
  await rig.raw.rpush("keyturn:dead-letters", ...Array.from({ length: 1000 }, (_, index) => `old ${index}`));
  await addDeadLetter(rig.redis, systemClock, letter);
  expect(await rig.raw.llen("keyturn:dead-letters")).toBe(1000);
  expect(await deadLetters(rig.redis).list()).toEqual([expect.objectContaining(letter)]);
});

test("a job does not end for good before its dead letter is stored", async () => {
  await using rig = await startRig();
  await rig.raw.set("keyturn:dead-letters", "not a list");
  let runs = 0;
  rig.rotate(async () => {
    runs++;
    throw new Fault("forbidden", "keyturn may not read prod-kv/orders-db");
  });
  await rig.enqueue("rotate-secret", secretJob);
  await until("it was tried again", () => runs >= 2);
  await rig.raw.del("keyturn:dead-letters");
  await until("it is a dead letter", async () => (await deadLetters(rig.redis).list()).length);
});

test("without Redis the asker is told so", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  await rig.server.kill();
  await until("that is noticed", () => rig.redis.state() === "unreachable");
  await expect(deadLetters(rig.redis).list()).rejects.toMatchObject({ code: "unavailable" });
});
