import { afterEach, beforeEach, expect, test } from "vitest";
import { readRecord } from "../../../src/rotation/record/tags.ts";
import { overlap } from "../../crash/ground.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { day } from "../decide/rules.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const byHand = "postgresql://orders_a:by-hand@orders.postgres.database.azure.com:5432/orders";
const rotation = `r-${"a".repeat(26)}`;
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"));
});

afterEach(() => steps.world.close());

async function rollBack(): Promise<void> {
  await steps.take({ kind: "write-intent", mode: "rolling-back" }, await steps.upTo("wait"));
}

function isLive(text: string | undefined): boolean | undefined {
  return steps.world.ground.provider.live()?.has(text ?? "");
}

test("a version that somebody stores after the decision and before the publish stays latest", async () => {
  const { ground } = steps.world;
  const scene = await steps.upTo("publish");
  await ground.store(byHand, 60);
  await expect(steps.take({ kind: "publish", rotation }, scene)).rejects.toMatchObject({
    code: "superseded",
  });
  expect(steps.versions().map(({ value }) => value)).toEqual([ground.provider.first, byHand]);
});

test("the way back is a new version with the old value and its expiry, and none is disabled for it", async () => {
  await rollBack();
  await steps.take({ kind: "restore" }, await steps.upTo("restore"));
  const [first, bad, back] = steps.versions();
  expect(steps.versions().map(({ enabled }) => enabled)).toEqual([true, true, true]);
  expect(back).toMatchObject({ value: first?.value, exp: first?.exp });
  expect(isLive(back?.value)).toBe(true);
  expect(readRecord(back?.tags ?? {})).toMatchObject({
    from: bad?.version,
    restores: first?.version,
    state: "published",
    hold: { notBefore: steps.world.ground.clock.now() + day },
  });
});

test("a version that somebody stores after the decision and before the way back stays latest", async () => {
  await rollBack();
  const scene = await steps.upTo("restore");
  await steps.world.ground.store(byHand, 60);
  await expect(steps.take({ kind: "restore" }, scene)).rejects.toMatchObject({ code: "superseded" });
  expect(steps.versions().at(-1)?.value).toBe(byHand);
});

test("of candidates parked in one second all are read again: any of them may be the one that a read gives", async () => {
  await steps.upTo("wait");
  const { ground } = steps.world;
  const parked = ground.vault.secrets.get("orders-db--pending")?.versions ?? [];
  for (const one of parked.slice()) parked.push({ ...one, version: "e".repeat(32), value: "another" });
  expect(parked.map(({ enabled }) => enabled)).toEqual([false, false]);
  ground.provider.changeByHand(steps.versions().at(-1)?.value ?? "");
  const scene = await steps.upTo("reopen-pending");
  await steps.take({ kind: "reopen-pending", rotation: steps.record().rotation ?? "" }, scene);
  expect(parked.map(({ enabled }) => enabled)).toEqual([true, true]);
});

test("the candidate is set at the provider, and may be set again", async () => {
  const scene = await steps.upTo("apply");
  const candidate = steps.versions("orders-db--pending").at(-1)?.value;
  expect(isLive(candidate)).toBe(false);
  for (let time = 0; time < 2; time += 1) await steps.take({ kind: "apply", rotation }, scene);
  expect(isLive(candidate)).toBe(true);
});

test("a published value that the provider has forgotten is set there again", async () => {
  await steps.upTo("wait");
  const published = steps.versions().at(-1)?.value;
  steps.world.ground.provider.changeByHand(published ?? "");
  expect(isLive(published)).toBe(false);
  await steps.take({ kind: "repair", rotation }, (await steps.next()).scene);
  expect(isLive(published)).toBe(true);
});

test("the provider is set back to the value that is named: the replaced one or the published one", async () => {
  await steps.upTo("wait");
  const [replaced, published] = steps.versions();
  const { scene } = await steps.next();
  for (const { value } of steps.versions()) steps.world.ground.provider.changeByHand(value);
  await steps.take({ kind: "set-back", to: "replaced" }, scene);
  expect([isLive(replaced?.value), isLive(published?.value)]).toEqual([true, false]);
  await steps.take({ kind: "set-back", to: "latest" }, scene);
  expect([isLive(replaced?.value), isLive(published?.value)]).toEqual([true, true]);
});

test("the credential that is named is revoked, and the other one lives on; to revoke it twice is harmless", async () => {
  await steps.upTo("wait");
  await steps.world.ground.clock.advance(overlap);
  const scene = await steps.upTo("revoke");
  const [old, latest] = steps.versions();
  for (let time = 0; time < 2; time += 1)
    await steps.take({ kind: "revoke", credentialId: "orders_a" }, scene);
  expect([isLive(old?.value), isLive(latest?.value)]).toEqual([false, true]);
});

test("a version is disabled and enabled by its id", async () => {
  const scene = await steps.upTo("wait");
  const version = steps.versions()[0]?.version ?? "";
  await steps.take({ kind: "disable", version }, scene);
  expect(steps.versions().map(({ enabled }) => enabled)).toEqual([false, true]);
  await steps.take({ kind: "reopen", version }, scene);
  expect(steps.versions().map(({ enabled }) => enabled)).toEqual([true, true]);
});

test("that the replaced value is leaked is written down beside what else holds the rotation", async () => {
  await steps.upTo("wait");
  Object.assign(steps.versions().at(-1)?.tags ?? {}, { "keyturn-hold": "failures=1" });
  await steps.take({ kind: "mark-leaked" }, (await steps.next()).scene);
  expect(steps.record().hold).toEqual({ failures: 1, leaked: true });
});
