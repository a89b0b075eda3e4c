import { describe, expect, it } from "vitest";
import { createAlarm } from "./alarm.ts";

/** A clock whose sleepers are woken by the test. */
function setUp() {
  const sleeps: { duration: number; wake: () => void; signal: AbortSignal | undefined }[] = [];
  const rings: number[] = [];
  const clock = {
    now: () => 1_000,
    sleep: (duration: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleeps.push({ duration, wake: resolve, signal });
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const alarm = createAlarm(clock, () => rings.push(rings.length));
  return { alarm, sleeps, rings };
}

describe("an alarm", () => {
  it("rings at the earliest time it was set to, and not again", async () => {
    const { alarm, sleeps, rings } = setUp();
    alarm.set(5_000);
    alarm.set(3_000);
    alarm.set(4_000);
    alarm.set(Infinity);
    expect(sleeps.map((sleep) => [sleep.duration, sleep.signal?.aborted])).toEqual([
      [4_000, true],
      [2_000, false],
    ]);
    sleeps[1]?.wake();
    await new Promise(setImmediate);
    expect(rings).toHaveLength(1);
    alarm.set(9_000);
    expect(sleeps).toHaveLength(3);
  });

  it("rings at once for a time that has passed", () => {
    const { alarm, sleeps } = setUp();
    alarm.set(10);
    expect(sleeps[0]?.duration).toBe(0);
  });

  it("does not ring any more once it is stopped", async () => {
    const { alarm, sleeps, rings } = setUp();
    alarm.set(5_000);
    alarm.stop();
    alarm.set(6_000);
    await new Promise(setImmediate);
    expect([sleeps.length, sleeps[0]?.signal?.aborted, rings]).toEqual([1, true, []]);
  });
});
