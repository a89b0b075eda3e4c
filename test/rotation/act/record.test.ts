import { afterEach, beforeEach, expect, test } from "vitest";
import { changeRecord, dropIntent, waive, writeIntent } from "../../../src/rotation/act/record.ts";
import { lostSince, waiverOf } from "../../../src/dependents/fingerprint.ts";
import { postgresRole } from "../../crash/scenarios/log-ins.ts";
import { type InSteps, inSteps } from "../in-steps.ts";

let steps: InSteps;

beforeEach(async () => {
  steps = await inSteps(postgresRole("dual"), { dependents: ["api", "jobs"] });
});

afterEach(() => steps.world.close());

async function scene() {
  return (await steps.next()).scene;
}

/** Replaces what our tags say of what holds the rotation. */
async function hold(text: string): Promise<void> {
  Object.assign(steps.versions().at(-1)?.tags ?? {}, { "keyturn-hold": text });
}

const everything = `not-before=2026-11-22T00:00:00.000Z failures=2 quarantined=conflict leaked=yes waived=${"a".repeat(12)}`;

test("an intent is written down with who asked for it and when", async () => {
  const now = steps.world.ground.clock.now();
  const request = { trigger: "manual", mode: "compromised", requestId: "q-7" } as const;
  await writeIntent((await steps.next(request)).scene, "compromised");
  expect(steps.record().intent).toEqual({ mode: "compromised", requestId: "q-7", at: now });
});

test("where nobody has asked, the intent is keyturn's own", async () => {
  await writeIntent(await scene(), "routine");
  expect(steps.record().intent).toMatchObject({ mode: "routine", requestId: "observe" });
});

test("whoever asks anew lifts what held the rotation, but not that a value is leaked and a group confirmed", async () => {
  await hold(everything);
  await writeIntent(await scene(), "routine");
  expect(steps.record().hold).toEqual({ leaked: true, waived: ["a".repeat(12)] });
  await hold("failures=2 quarantined=conflict");
  await writeIntent(await scene(), "routine");
  expect(steps.record().hold).toBeUndefined();
});

test("to move the readers lifts nothing: no rotation is asked for", async () => {
  await hold(everything);
  await writeIntent(await scene(), "roll");
  expect(steps.record().hold).toMatchObject({ failures: 2, quarantined: "conflict", leaked: true });
});

test("a group that a person has confirmed is written down once, by its short name", async () => {
  const seen = await steps.upTo("roll");
  const [group = ""] = seen.secret.dependents.flatMap((entry) =>
    entry.kind === "group" ? [entry.group] : [],
  );
  await waive(seen, group);
  await waive(await scene(), group.toUpperCase());
  expect(steps.record().hold).toEqual({ waived: [waiverOf(group)] });
  expect(steps.record().dependents).toMatch(/^2 /);
});

test("a confirmed group that is not there any more is not missed any longer", async () => {
  const seen = await steps.upTo("roll");
  const before = steps.record().dependents;
  const gone =
    "/subscriptions/s/resourceGroups/apps/providers/Microsoft.ContainerInstance/containerGroups/gone";
  await waive(seen, gone);
  const after = steps.record().dependents ?? "";
  expect(after).toMatch(/^1 /);
  expect(lostSince(before, after)).toBe(1);
  await waive(await scene(), `${gone}-too`);
  expect(steps.record()).toMatchObject({
    dependents: expect.stringMatching(/^0 /),
    hold: { waived: [waiverOf(gone), waiverOf(`${gone}-too`)] },
  });
});

test("what is taken back leaves neither intent nor hold, and no candidate that can be read", async () => {
  const seen = await steps.upTo("apply");
  await hold("failures=1");
  expect(steps.versions("orders-db--pending").map(({ enabled }) => enabled)).toEqual([true]);
  expect(steps.record().intent).toBeDefined();
  await dropIntent(seen);
  expect(steps.record()).toMatchObject({ intent: undefined, hold: undefined });
  expect(steps.versions("orders-db--pending").map(({ enabled }) => enabled)).toEqual([false]);
});

test("what is taken back before there was a candidate touches none", async () => {
  await dropIntent(await steps.upTo("park"));
  expect(steps.record().intent).toBeUndefined();
  expect(steps.versions("orders-db--pending")).toEqual([]);
});

test("a change of our tags changes nobody else's, and makes no version", async () => {
  Object.assign(steps.versions().at(-1)?.tags ?? {}, { team: "orders" });
  await changeRecord(await scene(), (record) => ({ ...record, hold: { leaked: true } }));
  expect(steps.versions()).toHaveLength(1);
  expect(steps.versions().at(-1)?.tags).toMatchObject({ team: "orders", "keyturn-hold": "leaked=yes" });
});
