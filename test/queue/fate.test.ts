import { describe, expect, test } from "vitest";
import { Fault, type FaultCode, faultCodes } from "../../src/errors.ts";
import { type Circumstances, backoffDelay, fateOf } from "../../src/queue/fate.ts";

const now = 1_000_000;
const usual: Circumstances = { now, since: now, attempt: 1, attempts: 3, aborted: undefined };
const fault = (code: FaultCode, retryAfter?: number) =>
  new Fault(code, "it went wrong", retryAfter === undefined ? {} : { retryAfter });
const codes = Object.keys(faultCodes).filter((code): code is FaultCode => code in faultCodes);

describe("what becomes of a failed job", () => {
  test("a retriable fault is retried until the attempts are used up", () => {
    expect(fateOf(fault("unavailable"), usual)).toEqual({ kind: "retry" });
    expect(fateOf(fault("unavailable"), { ...usual, attempt: 3 })).toEqual({ kind: "dead-letter" });
  });

  test("a time that the other side told is waited for, whatever the attempts", () => {
    expect(fateOf(fault("throttled", 7000), { ...usual, attempt: 3 })).toEqual({
      kind: "requeue-after",
      at: now + 7000,
    });
  });

  test.each(["lock-held", "propagation-pending"] as const)("%s costs no attempt", (code) => {
    expect(fateOf(fault(code), { ...usual, attempt: 3 })).toEqual({ kind: "requeue-after", at: now + 5000 });
  });

  test("a secret that is not in the policy is left to newer replicas for 15 minutes, and then refused", () => {
    expect(fateOf(fault("not-in-policy"), { ...usual, attempt: 3, now: now + 899_999 }).kind).toBe(
      "requeue-after",
    );
    expect(fateOf(fault("not-in-policy"), { ...usual, now: now + 900_000 })).toEqual({ kind: "dead-letter" });
  });

  test("what is refused or needs a human is final, even when the worker is stopping", () => {
    const final = codes.filter((code) => faultCodes[code] !== "retriable");
    expect(final.length).toBeGreaterThan(10);
    for (const code of final)
      for (const aborted of [undefined, "stopping", "lock-lost"] as const)
        expect(fateOf(fault(code, 5000), { ...usual, aborted })).toEqual({ kind: "dead-letter" });
  });

  test("a job that ends because it was stopped is put back, even at its last attempt", () => {
    for (const code of codes.filter((one) => faultCodes[one] === "retriable"))
      expect(fateOf(fault(code, 5000), { ...usual, attempt: 3, aborted: "stopping" })).toEqual({
        kind: "requeue",
      });
  });

  test("a job that lost its lock is not touched any more", () => {
    expect(fateOf(fault("cancelled"), { ...usual, attempt: 3, aborted: "lock-lost" })).toEqual({
      kind: "release",
    });
  });
});

test("back-off doubles up to the longest, with jitter over its upper half", () => {
  const backoff = { first: 100, longest: 1000 };
  for (const [attemptsMade, full] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [5, 1000],
    [60, 1000],
  ] as const) {
    const delays = Array.from({ length: 200 }, () => backoffDelay(attemptsMade, backoff));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(full / 2);
    expect(Math.max(...delays)).toBeLessThanOrEqual(full);
    expect(new Set(delays).size).toBeGreaterThan(10);
  }
});
