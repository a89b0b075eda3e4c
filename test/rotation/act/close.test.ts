import { afterEach, expect, test } from "vitest";
import type { KeyVault } from "../../../src/azure/key-vault.ts";
import { close, enable } from "../../../src/rotation/act/close.ts";
import { readRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { overlap } from "../../crash/ground.ts";
import { derivedUrl, postgresRole } from "../../crash/scenarios/log-ins.ts";
import type { Scenario } from "../../crash/scenarios/scenario.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

let steps: InSteps;

afterEach(() => steps.world.close());

/** Up to where the old credential is revoked and only the close is left. */
async function retired(scenario: Scenario = postgresRole("dual")) {
  steps = await inSteps(scenario);
  await steps.upTo("wait");
  await steps.world.ground.clock.advance(overlap);
  return steps.upTo("close");
}

function states(name?: string) {
  return steps.versions(name).map(({ enabled, tags }) => [enabled, readRecord(tags).state]);
}

test("the replaced version is disabled and marked as revoked, then the published one as retired", async () => {
  const scene = await retired();
  expect(states()).toEqual([
    [true, undefined],
    [true, "published"],
  ]);
  await close(scene);
  expect(states()).toEqual([
    [false, "revoked"],
    [true, "retired"],
  ]);
});

test("the rotation is marked as closed last, so that a process that dies before leaves it open", async () => {
  const scene = await retired();
  const vault = scene.ports.vaults.get("prod-kv");
  if (!vault) throw new Error("there is no such vault");
  const written: string[] = [];
  const watched: KeyVault = {
    ...vault,
    update(...[name, version, change, signal]) {
      written.push(version);
      return vault.update(name, version, change, signal);
    },
  };
  await close({ ...scene, ports: { ...scene.ports, vaults: new Map([["prod-kv", watched]]) } });
  expect(written).toEqual(steps.versions().map(({ version }) => version));
});

test("to close a rotation twice changes nothing more", async () => {
  const scene = await retired();
  await close(scene);
  const before = steps.world.ground.snapshot().versions;
  await close(scene);
  expect(steps.world.ground.snapshot().versions.map(({ enabled, tags }) => ({ enabled, tags }))).toEqual(
    before.map(({ enabled, tags }) => ({ enabled, tags })),
  );
});

test("a replaced version that somebody has disabled before is left with its tags", async () => {
  const { secret, ports, signal } = await retired();
  const [old] = steps.versions();
  await ports.vaults.get("prod-kv")?.update(secret.name, old?.version ?? "", { enabled: false }, signal);
  await close((await steps.next()).scene);
  expect(states()).toEqual([
    [false, undefined],
    [true, "retired"],
  ]);
});

test("what was derived from the old credential is disabled with it, and what follows from the new one is retired", async () => {
  const scene = await retired(derivedUrl);
  await close(scene);
  expect(states("orders-url")).toEqual([
    [false, undefined],
    [true, "retired"],
  ]);
});

test("a parked copy that can still be read is disabled as well", async () => {
  await retired();
  const pending = steps.world.ground.vault.secrets.get("orders-db--pending");
  for (const version of pending?.versions ?? []) version.enabled = true;
  await close((await steps.next()).scene);
  expect(steps.versions("orders-db--pending").map(({ enabled }) => enabled)).toEqual([false]);
});

test("a version that somebody else wrote is closed with a mark that names itself, whatever tags it has copied", async () => {
  steps = await inSteps(postgresRole("dual"));
  const [first] = steps.versions();
  const copied = { rotation: `r-${"a".repeat(26)}`, from: "b".repeat(32), credential: "orders_b" };
  const hold = { waived: ["a".repeat(12)] };
  const intent = { mode: "roll", requestId: "q", at: 0 } as const;
  Object.assign(first?.tags ?? {}, writeRecord({}, { ...copied, intent, hold }));
  await close((await steps.next()).scene);
  const { rotation, from, credential, ...rest } = steps.record();
  expect({ rotation, from, credential }).toEqual({ from: first?.version });
  // The readers have been moved; that was all that was asked for.
  expect(rest).toMatchObject({ state: "retired", hold, intent: undefined });
});

test("what else is asked for stays asked for when a rotation closes", async () => {
  const scene = await retired();
  await steps.take({ kind: "write-intent", mode: "routine" }, scene);
  await close((await steps.next()).scene);
  expect(steps.record()).toMatchObject({ state: "retired", intent: { mode: "routine" } });
});

test("what was published in between, and did not work for long, is disabled with the version before it", async () => {
  const scene = await retired();
  const versions = steps.world.ground.vault.secrets.get("orders-db")?.versions ?? [];
  const [, once] = versions;
  if (!once) throw new Error("nothing was published");
  const mended = { ...once, version: "f".repeat(32), created: once.created + 5 };
  mended.tags = writeRecord({}, { ...readRecord(once.tags), from: once.version });
  versions.push(mended);
  const { observed } = (await steps.next()).scene;
  expect(observed.facts.latest).toMatchObject({ lineage: "ours", version: mended.version });
  await close({ ...scene, observed });
  expect(states()).toEqual([
    [false, "revoked"],
    [false, "published"],
    [true, "retired"],
  ]);
});

test("a version is enabled and disabled without a change of its tags", async () => {
  const scene = await retired();
  const [first] = steps.versions();
  const tags = { ...first?.tags };
  await enable(scene, first?.version ?? "", false);
  expect(steps.versions()[0]).toMatchObject({ enabled: false, tags });
  await enable(scene, first?.version ?? "", true);
  expect(steps.versions()[0]).toMatchObject({ enabled: true, tags });
});
