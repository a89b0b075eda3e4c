import { afterEach, expect, test } from "vitest";
import { statusOf } from "../../src/rotation/status.ts";
import { overlap } from "../crash/ground.ts";
import { derivedUrl, postgresRole } from "../crash/scenarios/log-ins.ts";
import type { Scenario } from "../crash/scenarios/scenario.ts";
import { type InSteps, inSteps } from "./in-steps.ts";
import { day } from "./decide/rules.ts";

let steps: InSteps;

afterEach(() => steps.world.close());

async function begin(scenario: Scenario = postgresRole("dual")): Promise<void> {
  steps = await inSteps(scenario);
}

async function status() {
  const { secret, ports, signal } = (await steps.next()).scene;
  return statusOf(secret, ports, signal);
}

async function closed(scenario?: Scenario): Promise<void> {
  await begin(scenario);
  await steps.upTo("wait");
  await steps.world.ground.clock.advance(overlap);
  await steps.upTo("idle");
}

test("a version that expires too soon is due, and the status says since when", async () => {
  await begin();
  const { clock } = steps.world.ground;
  const [first] = steps.versions();
  expect(await status()).toMatchObject({
    secret: "prod-kv/orders-db",
    rotator: "postgres-role",
    state: "due",
    version: first?.version,
    createdAt: clock.now(),
    expiresAt: clock.now() + 29 * day,
    dueAt: clock.now() - day,
    rotation: undefined,
  });
});

test("a rotation that is under way is open, from its intent to its close", async () => {
  await begin();
  for (const kind of ["park", "publish", "settle-pending", "wait"] as const) {
    await steps.upTo(kind);
    expect(await status()).toMatchObject({ state: "open" });
  }
  expect(await status()).toMatchObject({
    rotation: steps.record().rotation,
    next: expect.stringContaining("retires at"),
  });
});

test("after the close all is well until the new version is due", async () => {
  await closed();
  const found = await status();
  const until = new Date(found.dueAt ?? 0).toISOString();
  expect(found).toMatchObject({ state: "ok", next: expect.stringContaining(until) });
});

test("what waits for a person says what is asked", async () => {
  await begin();
  const [first] = steps.world.ground.vault.secrets.get("orders-db")?.versions ?? [];
  if (first) first.value = "does not fit the template";
  await steps.upTo("stop");
  expect(await status()).toMatchObject({
    state: "needs-human",
    next: expect.stringContaining("does not fit the policy's template"),
  });
});

test("of a secret that is not there nothing is known but its name and what is asked", async () => {
  await begin();
  steps.world.ground.vault.secrets.delete("orders-db");
  const found = await status();
  expect(found).toMatchObject({ secret: "prod-kv/orders-db", state: "needs-human" });
  for (const field of ["version", "createdAt", "expiresAt", "dueAt", "rotation"] as const)
    expect(found[field]).toBeUndefined();
});

test("a secret that cannot be reached has a row as well, with the fault", async () => {
  await begin();
  const { secret, ports, signal } = (await steps.next()).scene;
  const row = await statusOf(secret, { ...ports, vaults: new Map() }, signal);
  expect(row).toMatchObject({
    secret: "prod-kv/orders-db",
    state: "unreachable",
    next: expect.stringContaining("unknown-vault: "),
    version: undefined,
  });
});

test("the status of a secret shows what is derived from it, and of one without that it is not asked", async () => {
  await closed(derivedUrl);
  const newest = steps.versions("orders-url").at(-1);
  expect((await status()).derived).toMatchObject([
    {
      secret: "prod-kv/orders-url",
      state: "current",
      version: newest?.version,
      expiresAt: (newest?.exp ?? 0) * 1000,
    },
  ]);
  steps.world.ground.vault.secrets.delete("orders-url");
  expect((await status()).derived).toMatchObject([{ state: "missing", version: undefined }]);
  await steps.world.close();
  await begin();
  expect(await status()).not.toHaveProperty("derived");
});

test("the status changes nothing and shows no value", async () => {
  await begin(derivedUrl);
  const before = JSON.stringify(steps.world.ground.snapshot().versions);
  const text = JSON.stringify(await status());
  expect(JSON.stringify(steps.world.ground.snapshot().versions)).toBe(before);
  for (const { value } of [...steps.versions(), ...steps.versions("orders-url")])
    expect(text).not.toContain(value);
});
