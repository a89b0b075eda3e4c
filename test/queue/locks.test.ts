import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { createLocks } from "../../src/queue/locks.ts";
import { until } from "../support/until.ts";
import { startRig } from "./rig.ts";

const never = new AbortController().signal;

test("one holder at a time; the next one after the end, however it ended", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const hold = createLocks(rig.redis, systemClock, 1000);
  const result = await hold("target", never, async () => {
    await expect(hold("target", never, async () => "second")).rejects.toMatchObject({ code: "lock-held" });
    expect(await hold("other", never, async () => "other")).toBe("other");
    return "first";
  });
  expect(result).toBe("first");
  const failing = hold("target", never, () => Promise.reject(new Error("broken")));
  await expect(failing).rejects.toThrow("broken");
  expect(await hold("target", never, async () => "third")).toBe("third");
});

test("it is renewed for as long as the work lasts", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const hold = createLocks(rig.redis, systemClock, 150);
  await hold("target", never, async (signal) => {
    let renewals = 0;
    let left = await rig.raw.pttl("keyturn:lock:target");
    await until("it was renewed often", async () => {
      const now = await rig.raw.pttl("keyturn:lock:target");
      if (now > left) renewals++;
      left = now;
      return renewals >= 5;
    });
    expect(signal.aborted).toBe(false);
  });
});

test("who loses it is told, and does not release somebody else's", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const hold = createLocks(rig.redis, systemClock, 300);
  await hold("target", never, async (signal) => {
    await rig.raw.set("keyturn:lock:target", "another holder");
    await until("it is told", () => signal.aborted);
    expect(signal.reason).toMatchObject({ code: "cancelled", message: "the lock was lost" });
  });
  expect(await rig.raw.get("keyturn:lock:target")).toBe("another holder");
});

test("a holder that cannot reach Redis for a whole lease has lost it", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const hold = createLocks(rig.redis, systemClock, 300);
  await hold("target", never, async (signal) => {
    await rig.server.kill();
    await until("it is told", () => signal.aborted);
  });
});

test("the work's signal is also the job's", async () => {
  await using rig = await startRig();
  await rig.redis.whenReady(60_000);
  const job = new AbortController();
  await createLocks(rig.redis, systemClock, 1000)("target", job.signal, async (signal) => {
    job.abort("stop");
    expect(signal.reason).toBe("stop");
  });
});
