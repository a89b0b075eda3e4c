import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingName } from "../../../src/rotation/ports.ts";
import { observeSecret } from "../../../src/rotation/observe/secret.ts";
import type { Request } from "../../../src/request.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const name = "orders-db";
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"));
});

afterEach(() => steps.world.close());

async function observed(request?: Request) {
  const { secret, ports, signal } = (await steps.next()).scene;
  return observeSecret(secret, request, ports, signal);
}

function disableLatest(): void {
  const latest = steps.world.ground.vault.secrets.get(name)?.versions.at(-1);
  if (latest) latest.enabled = false;
}

test("of a secret that is not there it is observed that it is missing", async () => {
  steps.world.ground.vault.secrets.delete(name);
  const { facts, latest } = await observed();
  expect(facts).toMatchObject({
    latest: { kind: "missing" },
    pending: { kind: "none" },
    replaced: undefined,
  });
  expect(latest).toBeUndefined();
});

test("of the first version it is observed that nothing was before it, who is in it, and how many tags others have", async () => {
  Object.assign(steps.versions()[0]?.tags ?? {}, { team: "orders", "keyturn-hold": "failures=1" });
  const { facts } = await observed();
  expect(facts.latest).toMatchObject({
    kind: "readable",
    lineage: "foreign",
    first: true,
    credentialId: "orders_a",
    otherTags: 1,
    record: { hold: { failures: 1 } },
  });
  expect(facts.provider).toBeUndefined();
  expect(facts.dependents).toBeUndefined();
  expect(facts.derived).toEqual([]);
});

test("of our own version it is observed what it replaced, and that the candidate is put away", async () => {
  await steps.upTo("wait");
  const { facts, replaced } = await observed();
  expect(facts).toMatchObject({
    latest: { lineage: "ours", first: false, credentialId: "orders_b" },
    replaced: { version: steps.versions()[0]?.version, credentialId: "orders_a" },
    pending: { kind: "none" },
  });
  expect(replaced?.stored.value?.reveal()).toBe(steps.world.ground.provider.first);
});

test("a parked candidate is observed with its rotation, and whether it is what is published", async () => {
  const before = await steps.upTo("publish");
  expect(before.observed.facts.pending).toMatchObject({ kind: "parked", equalsLatest: false, rejections: 0 });
  await steps.upTo("settle-pending");
  expect((await observed()).facts.pending).toMatchObject({
    kind: "parked",
    version: steps.versions(pendingName(name)).at(-1)?.version,
    rotation: steps.record().rotation,
    credentialId: "orders_b",
    equalsLatest: true,
  });
});

test("a version that somebody has disabled is disabled, and nothing is read of it", async () => {
  disableLatest();
  const { facts, latest } = await observed();
  expect(facts.latest).toEqual({ kind: "disabled" });
  expect(latest).toBeUndefined();
});

test("a version that was disabled because it is leaked is known by its tags", async () => {
  disableLatest();
  const version = steps.versions()[0]?.version;
  const request = { trigger: "manual", mode: "compromised", requestId: "q", version } as const;
  const { facts, latest } = await observed(request);
  expect(facts.latest).toMatchObject({ kind: "readable", enabled: false, version });
  expect(latest?.stored.value).toBeUndefined();
  const another = { ...request, version: "f".repeat(32) };
  expect((await observed(another)).facts.latest).toEqual({ kind: "disabled" });
});

test("who has written down that a version is leaked need not say so again", async () => {
  const { scene } = await steps.next();
  await steps.take({ kind: "write-intent", mode: "compromised" }, scene);
  disableLatest();
  expect((await observed()).facts.latest).toMatchObject({ kind: "readable", enabled: false });
});
