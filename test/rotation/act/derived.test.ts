import { afterEach, beforeEach, expect, test } from "vitest";
import { closeDerived, publishDerived } from "../../../src/rotation/act/derived.ts";
import type { Scene } from "../../../src/rotation/act/scene.ts";
import { readRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { overlap } from "../../crash/ground.ts";
import { derivedUrl } from "../../crash/scenarios/log-ins.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const child = "prod-kv/orders-url";
const suffix = "?application_name=reports";
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(derivedUrl);
});

afterEach(() => steps.world.close());

function ofChild() {
  return steps.versions("orders-url");
}

async function rolledBack(): Promise<Scene> {
  const scene = await steps.upTo("wait");
  await steps.take({ kind: "write-intent", mode: "rolling-back" }, scene);
  await steps.take({ kind: "restore" }, await steps.upTo("restore"));
  return steps.upTo("publish-derived");
}

test("what is derived is built from the latest version, with its expiry, its credential and its rotation", async () => {
  await publishDerived(await steps.upTo("publish-derived"), child);
  const parent = steps.versions().at(-1);
  const { rotation, credential } = steps.record();
  expect(ofChild().at(-1)).toMatchObject({
    value: `${parent?.value}${suffix}`,
    exp: parent?.exp,
    enabled: true,
  });
  expect(steps.record("orders-url")).toMatchObject({
    rotation,
    credential,
    from: ofChild()[0]?.version,
    restores: undefined,
    dependents: expect.stringMatching(/^0 /),
    state: "published",
  });
});

test("what is derived keeps the content type and the tags of others", async () => {
  Object.assign(ofChild()[0]?.tags ?? {}, { team: "reports" });
  await publishDerived(await steps.upTo("publish-derived"), child);
  expect(ofChild().at(-1)).toMatchObject({ contentType: "text/plain", tags: { team: "reports" } });
});

test("what is derived and not there yet is made, and replaces nothing", async () => {
  steps.world.ground.vault.secrets.delete("orders-url");
  await publishDerived(await steps.upTo("publish-derived"), child);
  expect(ofChild()).toHaveLength(1);
  expect(steps.record("orders-url")).toMatchObject({ from: undefined, state: "published" });
});

test("what somebody stores meanwhile in place of what is derived stays latest", async () => {
  const scene = await steps.upTo("publish-derived");
  await steps.world.ground.clock.advance(5_000);
  await steps.world.ground.store("by hand", 60, {}, "orders-url");
  await expect(publishDerived(scene, child)).rejects.toMatchObject({ code: "superseded", secret: child });
  expect(ofChild().at(-1)?.value).toBe("by hand");
});

test("after a roll-back the text before is known as brought back, so that nobody who reads it is restarted", async () => {
  const scene = await rolledBack();
  await publishDerived(scene, child);
  const [good, , back] = ofChild();
  expect(back?.value).toBe(good?.value);
  expect(steps.record("orders-url").restores).toBe(good?.version);
});

test("a text before that is another one, or cannot be read, is not what was brought back", async () => {
  const scene = await rolledBack();
  const [good] = ofChild();
  if (!good) throw new Error("nothing was derived");
  good.enabled = false;
  await publishDerived(scene, child);
  expect(steps.record("orders-url").restores).toBeUndefined();
});

test("of a text before that differs nobody says that it was brought back", async () => {
  const scene = await rolledBack();
  const [good] = ofChild();
  if (good) good.value = "another";
  await publishDerived(scene, child);
  expect(steps.record("orders-url").restores).toBeUndefined();
});

test("what was not read, and a parent without a credential, is an error of ours, and nothing is written", async () => {
  const scene = await steps.upTo("publish-derived");
  const { observed } = scene;
  const latest = observed.latest && { ...observed.latest, credential: undefined };
  await expect(publishDerived(scene, "prod-kv/other")).rejects.toMatchObject({ code: "internal-error" });
  await expect(publishDerived({ ...scene, observed: { ...observed, latest } }, child)).rejects.toMatchObject({
    code: "internal-error",
    secret: child,
  });
  expect(ofChild()).toHaveLength(1);
});

test("with the parent every version that the rotation has replaced or written more than once is disabled, but the latest", async () => {
  await steps.upTo("wait");
  await steps.world.ground.clock.advance(overlap);
  const versions = steps.world.ground.vault.secrets.get("orders-url")?.versions ?? [];
  const [, last] = versions;
  if (!last) throw new Error("nothing was derived");
  versions.splice(1, 0, { ...last, version: "d".repeat(32) });
  versions.unshift({ ...last, version: "e".repeat(32), tags: {} });
  await closeDerived(await steps.upTo("close"));
  expect(ofChild().map(({ enabled }) => enabled)).toEqual([true, false, false, true]);
  expect(steps.record("orders-url").state).toBe("retired");
});

test("what is marked as retired already, or could not be read, is not marked again", async () => {
  await steps.upTo("wait");
  await steps.world.ground.clock.advance(overlap);
  const scene = await steps.upTo("close");
  const [derived] = scene.observed.derived;
  if (!derived?.stored) throw new Error("nothing was derived");
  const retired = writeRecord({}, { ...readRecord(derived.stored.tags), state: "retired" });
  const stored = { ...derived.stored, tags: retired };
  await closeDerived({ ...scene, observed: { ...scene.observed, derived: [{ ...derived, stored }] } });
  expect(ofChild().at(-1)).toMatchObject({ enabled: true });
  expect(steps.record("orders-url").state).toBe("published");
  await closeDerived({
    ...scene,
    observed: { ...scene.observed, derived: [{ ...derived, stored: undefined }] },
  });
  expect(steps.record("orders-url").state).toBe("published");
});
