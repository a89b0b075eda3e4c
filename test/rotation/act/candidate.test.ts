import { afterEach, expect, test } from "vitest";
import { mint, park, reopenPending, settlePending } from "../../../src/rotation/act/candidate.ts";
import { readRecord } from "../../../src/rotation/record/tags.ts";
import { azureKey } from "../../crash/scenarios/azure-key.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import type { Scenario } from "../../crash/scenarios/scenario.ts";
import { day } from "../decide/rules.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const pending = "orders-db--pending";
let steps: InSteps;

afterEach(() => steps.world.close());

async function begin(scenario: Scenario = postgresRole("dual")): Promise<void> {
  steps = await inSteps(scenario);
}

function addTwin(change: Partial<ReturnType<InSteps["versions"]>[number]>): void {
  const versions = steps.world.ground.vault.secrets.get(pending)?.versions;
  const last = versions?.at(-1);
  if (last) versions?.push({ ...last, version: "e".repeat(32), ...change });
}

test("a candidate is parked before the provider has heard of it", async () => {
  await begin();
  const scene = await steps.upTo("park");
  const before = steps.world.ground.provider.live();
  await park(scene, "orders_b", "r-".padEnd(28, "a"));
  const [parked, ...others] = steps.versions(pending);
  expect(others).toEqual([]);
  expect(parked).toMatchObject({ enabled: true, contentType: "text/plain" });
  expect(parked?.value).toContain("//orders_b:");
  expect(steps.world.ground.provider.live()).toEqual(before);
  expect(steps.versions()).toHaveLength(1);
});

test("the parked candidate names its rotation, its credential and the version that it is to replace", async () => {
  await begin();
  const rotation = "r-".padEnd(28, "a");
  await park(await steps.upTo("park"), "orders_b", rotation);
  const [first] = steps.versions();
  expect(steps.record(pending)).toMatchObject({
    rotation,
    credential: "orders_b",
    from: first?.version,
    state: "parked",
    intent: undefined,
    hold: undefined,
  });
});

test("a candidate is parked for at least 31 days, so that Key Vault never announces it as near its expiry", async () => {
  await begin();
  const scene = await steps.upTo("park");
  const now = steps.world.ground.clock.now();
  const short = { ...scene, secret: { ...scene.secret, validity: 2 * day } };
  await park(short, "orders_b", "r-".padEnd(28, "a"));
  await park(scene, "orders_b", "r-".padEnd(28, "a"));
  const daysLeft = steps.versions(pending).map(({ exp }) => ((exp ?? 0) * 1000 - now) / day);
  expect(daysLeft).toEqual([31, 90]);
});

test("what the provider has minted is parked at once, with the slot that it was minted in", async () => {
  await begin(azureKey);
  const scene = await steps.upTo("mint");
  await mint(scene, "key2", "r-".padEnd(28, "a"));
  const [parked] = steps.versions(pending);
  expect(steps.record(pending)).toMatchObject({ credential: "key2", state: "parked" });
  expect(steps.world.ground.provider.live()?.has(parked?.value ?? "")).toBe(true);
});

test("once the published value is proven every parked copy is disabled, also one that arrived late", async () => {
  await begin();
  const scene = await steps.upTo("settle-pending");
  addTwin({ value: "another" });
  expect(steps.versions(pending).map(({ enabled }) => enabled)).toEqual([true, true]);
  await settlePending(scene);
  expect(steps.versions(pending).map(({ enabled }) => enabled)).toEqual([false, false]);
  await settlePending(scene);
  expect(steps.versions(pending)).toHaveLength(2);
});

test("the candidate of a rotation is read again: of versions of one second all, and nothing that is older", async () => {
  await begin();
  const scene = await steps.upTo("wait");
  const { created = 0, tags = {} } = steps.versions(pending).at(-1) ?? {};
  const rotation = readRecord(tags).rotation ?? "";
  addTwin({ version: "d".repeat(32), created: created - 1 });
  addTwin({ version: "e".repeat(32), created });
  addTwin({ version: "f".repeat(32), created, tags: {} });
  await reopenPending(scene, rotation);
  expect(steps.versions(pending).map(({ enabled }) => enabled)).toEqual([true, false, true, false]);
});

test("if the newest candidate is another rotation's, a person is asked for a value that works", async () => {
  await begin();
  const scene = await steps.upTo("wait");
  await expect(reopenPending(scene, "r-".padEnd(28, "a"))).rejects.toMatchObject({
    code: "foreign-version",
    message: expect.stringContaining("store a value that works"),
    secret: "prod-kv/orders-db",
  });
  expect(steps.versions(pending).map(({ enabled }) => enabled)).toEqual([false]);
});

test("if there never was a candidate, a person is asked as well", async () => {
  await begin();
  const { scene } = await steps.next();
  await expect(reopenPending(scene, "r-".padEnd(28, "a"))).rejects.toMatchObject({ code: "foreign-version" });
});
