import { expect, test } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { type LimitKind, takeToken, tokensLeft } from "./limits.ts";
import { createState } from "./state.ts";

function setUp(on = true) {
  const clock = createVirtualClock();
  const state = createState(clock);
  state.limits = on;
  const take = (kind: LimitKind, times: number, key = "one") =>
    Array.from({ length: times }, () => takeToken(state, kind, key)).filter((wait) => wait !== undefined);
  return { clock, state, take };
}

test("nothing is limited until limits are switched on", () => {
  expect(setUp(false).take("arm-write", 1_000)).toEqual([]);
});

test("300 secrets can be created in 10 s, and the answer says when the window ends", async () => {
  const { clock, take } = setUp();
  expect(take("secret-create", 300)).toEqual([]);
  await clock.advance(3_000);
  expect(take("secret-create", 2)).toEqual([7, 7]);
  await clock.advance(7_000);
  expect(take("secret-create", 301)).toEqual([10]);
});

test.for([
  ["arm-write", 200, 10],
  ["arm-read", 250, 25],
] as const)("%s: a burst of %i, then %i per second", async ([kind, burst, perSecond]) => {
  const { clock, take } = setUp();
  expect(take(kind, burst + 1)).toEqual([1]);
  await clock.advance(1_000);
  expect(take(kind, perSecond + 1)).toEqual([1]);
  await clock.advance(3_600_000);
  expect(take(kind, burst + 1)).toEqual([1]);
});

test("tokens come back at their pace however often somebody asks", async () => {
  const { clock, take } = setUp();
  take("arm-write", 200);
  await clock.advance(150);
  expect(take("arm-write", 2)).toEqual([1]);
  await clock.advance(50);
  expect(take("arm-write", 2)).toEqual([1]);
});

test("each key has its own tokens, and refused calls cost none", () => {
  const { state, take } = setUp();
  take("arm-write", 500, "one");
  expect(tokensLeft(state, "arm-write", "one")).toBe(0);
  expect(take("arm-write", 200, "two")).toEqual([]);
});
