import { afterEach, beforeEach, expect, test } from "vitest";
import { day } from "../decide/rules.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { createWorld, type World } from "../../crash/world.ts";
import { act } from "../../../src/rotation/act/act.ts";
import { type Act } from "../../../src/rotation/model/action.ts";
import type { Action } from "../../../src/rotation/model/action.ts";
import { observeAndDecide } from "../../../src/rotation/reconcile.ts";
import { readRecord } from "../../../src/rotation/record/tags.ts";

const { signal } = new AbortController();
const byHand = "postgresql://orders_a:by-hand@orders.postgres.database.azure.com:5432/orders";
let world: World;

beforeEach(async () => {
  world = await createWorld(postgresRole("dual"));
  await world.ground.store(world.ground.provider.first, 29);
});

afterEach(() => world.close());

/** Takes one step after the other until one of this kind is next. Returns what takes that one, or another in its place. */
async function upTo(kind: Action["kind"]): Promise<(instead?: Act) => Promise<void>> {
  const { ports } = world.alive()[0] ?? world.startWorker();
  const [secret] = ports.policy.secrets;
  if (!secret) throw new Error("the policy has no secret");
  for (;;) {
    const { observed, action } = await observeAndDecide(secret, undefined, ports, signal);
    const take = (step: Action) => {
      if (!isAct(step)) throw new Error(`${step.kind} comes before ${kind}`);
      return act(step, secret, observed, ports, signal);
    };
    if (action.kind === kind) return (instead) => take(instead ?? action);
    await take(action);
  }
}

function isAct(action: Action): action is Act {
  return !["observe", "roll", "wait", "idle", "stop"].includes(action.kind);
}

async function rollBack(): Promise<void> {
  const instead = await upTo("wait");
  await instead({ kind: "write-intent", mode: "rolling-back" });
}

test("a version that somebody stores between the look and the publish stays latest", async () => {
  const publish = await upTo("publish");
  await world.ground.store(byHand, 60);
  await expect(publish()).rejects.toMatchObject({ code: "superseded" });
  expect(world.ground.snapshot().versions.map(({ value }) => value)).toEqual([
    world.ground.provider.first,
    byHand,
  ]);
});

test("the way back is a new version with the old value and its expiry, and none is disabled for it", async () => {
  await rollBack();
  const restore = await upTo("restore");
  await restore();
  const { versions, live, now } = world.ground.snapshot();
  const [first, bad, back] = versions;
  expect(versions.map(({ enabled }) => enabled)).toEqual([true, true, true]);
  expect(back).toMatchObject({ value: first?.value, exp: first?.exp });
  expect(live?.has(back?.value ?? "")).toBe(true);
  expect(readRecord(back?.tags ?? {})).toMatchObject({
    from: bad?.version,
    restores: first?.version,
    state: "published",
    hold: { notBefore: now + day },
  });
});

test("a version that somebody stores between the look and the way back stays latest", async () => {
  await rollBack();
  const restore = await upTo("restore");
  await world.ground.store(byHand, 60);
  await expect(restore()).rejects.toMatchObject({ code: "superseded" });
  expect(world.ground.snapshot().versions.at(-1)?.value).toBe(byHand);
});

test("of candidates parked in one second all are read again: any of them may be the one that a read gives", async () => {
  await upTo("wait");
  const { ground } = world;
  const parked = ground.vault.secrets.get("orders-db--pending")?.versions ?? [];
  for (const one of parked.slice()) parked.push({ ...one, version: "e".repeat(32), value: "another" });
  expect(parked.map(({ enabled }) => enabled)).toEqual([false, false]);
  ground.provider.changeByHand(ground.snapshot().versions.at(-1)?.value ?? "");
  const reopen = await upTo("reopen-pending");
  await reopen();
  expect(parked.map(({ enabled }) => enabled)).toEqual([true, true]);
});
