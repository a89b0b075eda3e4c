import { afterEach, beforeEach, expect, test } from "vitest";
import { observeDerived } from "../../../src/rotation/observe/derived.ts";
import { readRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import type { SecretVersionState } from "../../local-azure/state.ts";
import { derivedUrl } from "../../crash/scenarios/log-ins.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

const name = "orders-url";
const key = "prod-kv/orders-url";
const day = 24 * 3600;
let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(derivedUrl);
  // Versions of one second cannot be told apart.
  await steps.world.ground.clock.advance(5_000);
});

afterEach(() => steps.world.close());

/** Observed anew, of what is derived as it is now. */
async function observed() {
  const { secret, observed: snapshot, ports, signal } = (await steps.next()).scene;
  const found = await observeDerived(secret, snapshot, ports, signal);
  const [derived, ...others] = found.derived;
  expect(others).toEqual([]);
  expect(found.facts.derived).toEqual([{ key, state: derived?.state }]);
  return derived;
}

function ofChild(): SecretVersionState[] {
  return steps.world.ground.vault.secrets.get(name)?.versions ?? [];
}

function last(): SecretVersionState {
  const version = ofChild().at(-1);
  if (!version) throw new Error("nothing is derived");
  return version;
}

test("what holds the text that follows from the parent's latest version is current", async () => {
  expect(await observed()).toMatchObject({ state: "current", restored: undefined });
  await steps.upTo("wait");
  expect(await observed()).toMatchObject({ state: "current", stored: { version: last().version } });
});

test("what followed from the version that the parent replaced is behind, whoever wrote it", async () => {
  await steps.upTo("publish-derived");
  expect(readRecord(last().tags).rotation).toBeUndefined();
  expect((await observed())?.state).toBe("behind");
});

test("what is not there is missing, and what somebody has disabled is disabled", async () => {
  const { secrets } = steps.world.ground.vault;
  last().enabled = false;
  expect(await observed()).toMatchObject({ state: "disabled", stored: undefined });
  secrets.delete(name);
  expect(await observed()).toMatchObject({ state: "missing", stored: undefined });
});

test("a text that follows from no version of the parent and was not written by keyturn is somebody else's", async () => {
  last().value = "by hand";
  expect((await observed())?.state).toBe("foreign");
});

test("where the parent's text holds no credential nothing is known of what is derived", async () => {
  const parent = steps.world.ground.vault.secrets.get("orders-db")?.versions.at(-1);
  if (parent) parent.value = "does not fit the template";
  expect((await observed())?.state).toBe("unknown");
});

test("what keyturn wrote by another template is behind, as its tags name a rotation of the parent", async () => {
  await steps.upTo("wait");
  last().value = "by the template of last year";
  expect((await observed())?.state).toBe("behind");
});

test("tags that name no rotation of the parent make a text nobody's but his who stored it", async () => {
  await steps.upTo("wait");
  last().value = "by hand";
  const record = readRecord(last().tags);
  last().tags = writeRecord({}, { ...record, rotation: `r-${"a".repeat(26)}` });
  expect((await observed())?.state).toBe("foreign");
});

test("tags that somebody has copied forward name another predecessor, and do not make a text ours", async () => {
  await steps.upTo("wait");
  const copied = { ...last(), version: "f".repeat(32), value: "by hand", created: last().created + 5 };
  ofChild().push(copied);
  expect((await observed())?.state).toBe("foreign");
});

test("a text that replaced none is keyturn's only while it is the only one", async () => {
  await steps.upTo("wait");
  const { from: _, ...record } = readRecord(last().tags);
  const [first] = ofChild().splice(0, 1);
  last().tags = writeRecord({}, record);
  last().value = "by the template of last year";
  expect((await observed())?.state).toBe("behind");
  if (first) ofChild().unshift(first);
  expect((await observed())?.state).toBe("foreign");
});

test("what has the right text and is due before its parent is behind, so that it gets the parent's expiry", async () => {
  await steps.upTo("wait");
  const now = steps.world.ground.clock.now() / 1000;
  last().exp = now + 29 * day;
  expect((await observed())?.state).toBe("behind");
  last().exp = now + 31 * day;
  expect((await observed())?.state).toBe("current");
  last().exp = undefined;
  expect((await observed())?.state).toBe("current");
});

test("what is due together with its parent is left: the parent's rotation replaces it", async () => {
  const now = steps.world.ground.clock.now() / 1000;
  last().exp = now + 20 * day;
  expect((await observed())?.state).toBe("current");
});

test("after a roll-back it is known when the text that is latest again was latest before", async () => {
  const scene = await steps.upTo("wait");
  await steps.world.ground.clock.advance(3_600_000);
  await steps.take({ kind: "write-intent", mode: "rolling-back" }, scene);
  await steps.take({ kind: "restore" }, await steps.upTo("restore"));
  await steps.take({ kind: "publish-derived", derived: key }, await steps.upTo("publish-derived"));
  const [good, bad] = ofChild();
  expect(await observed()).toMatchObject({
    state: "current",
    restored: { from: (good?.created ?? 0) * 1000, until: (bad?.created ?? 0) * 1000 },
  });
});
