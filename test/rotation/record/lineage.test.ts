import { expect, test } from "vitest";
import { lineageOf, overtakenBy, provenLineage, restoredBy } from "../../../src/rotation/record/lineage.ts";
import { rotationId } from "../../../src/rotation/record/rotation-id.ts";
import { type VersionRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { SecretValue } from "../../../src/secret-value.ts";

const vault = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/prod-kv";
const ids = { a: "a".repeat(32), b: "b".repeat(32), c: "c".repeat(32), d: "d".repeat(32) };
const idOf = (id: string) => rotationId(vault, "orders-db", id);

function version(name: keyof typeof ids, createdAt: number, tags: Record<string, string> = {}) {
  return { name: "orders-db", version: ids[name], enabled: true, createdAt, tags };
}

/** Tags of a version that our rotation of `from` has made. */
function madeFrom(from: string, record: VersionRecord = {}): Record<string, string> {
  return writeRecord({}, { rotation: idOf(from), from, state: "published", ...record });
}

test("a version is ours if its tags name the rotation of the version right before it", () => {
  const first = version("a", 1_000);
  const ours = version("b", 2_000, writeRecord({}, { rotation: idOf(ids.a), from: ids.a }));
  expect(lineageOf(ours, [ours, first], idOf)).toEqual({ lineage: "ours", from: first });
});

test("tags copied forward onto a later version do not make it ours", () => {
  const first = version("a", 1_000);
  const ours = version("b", 2_000, writeRecord({}, { rotation: idOf(ids.a), from: ids.a }));
  const copied = version("c", 3_000, ours.tags);
  expect(lineageOf(copied, [first, ours, copied], idOf)).toMatchObject({ lineage: "foreign" });
});

test("what a rotation published in place of what it had published before is ours, from the version before both", () => {
  const first = version("a", 1_000);
  const once = version("b", 2_000, writeRecord({}, { rotation: idOf(ids.a), from: ids.a }));
  const mended = version("c", 3_000, writeRecord({}, { rotation: idOf(ids.a), from: ids.b }));
  expect(lineageOf(mended, [mended, first, once], idOf)).toEqual({ lineage: "ours", from: first });
  const without = { ...once, tags: {} };
  expect(lineageOf(mended, [mended, first, without], idOf).lineage).toBe("foreign");
});

test("tags that name a rotation of another secret, or a version that is not there, do not make it ours", () => {
  const first = version("a", 1_000);
  const other = version(
    "b",
    2_000,
    writeRecord({}, { rotation: rotationId(vault, "other", ids.a), from: ids.a }),
  );
  const lost = version("b", 2_000, writeRecord({}, { rotation: idOf(ids.c), from: ids.c }));
  expect(lineageOf(other, [first, other], idOf).lineage).toBe("foreign");
  expect(lineageOf(lost, [first, lost], idOf).lineage).toBe("foreign");
});

test("versions of one second are all taken as possible predecessors", () => {
  const first = version("a", 1_000);
  const ours = version("b", 1_000, writeRecord({}, { rotation: idOf(ids.a), from: ids.a }));
  expect(lineageOf(ours, [ours, first], idOf).lineage).toBe("ours");
});

test("a value that two workers published one after the other is ours both times; another value with its tags is not", async () => {
  const tags = writeRecord({}, { rotation: idOf(ids.a), from: ids.a });
  const [first, once] = [
    version("a", 1_000),
    { ...version("b", 2_000, tags), value: new SecretValue("new") },
  ];
  const lineage = async (value: string) => {
    const again = { ...version("c", 3_000, tags), value: new SecretValue(value) };
    return (await provenLineage(again, [again, first, once], idOf, async () => once)).lineage;
  };
  expect(await lineage("new")).toBe("ours");
  expect(await lineage("somebody else's")).toBe("foreign");
});

test("a version without our tags is somebody else's, and so is the first one", () => {
  const [first, second] = [version("a", 1_000), version("b", 2_000)];
  expect(lineageOf(second, [first, second], idOf)).toEqual({ lineage: "foreign", from: undefined });
  expect(lineageOf(first, [first], idOf)).toEqual({ lineage: "foreign", from: undefined });
});

test("a version whose tags name itself as the one it replaced is not ours", () => {
  const odd = version("b", 2_000, madeFrom(ids.b));
  expect(lineageOf(odd, [version("a", 1_000), odd], idOf).lineage).toBe("foreign");
  // In one second with the version before it, so that the times do not give it away.
  const sameSecond = version("a", 2_000);
  expect(lineageOf(odd, [sameSecond, odd], idOf)).toMatchObject({ lineage: "foreign" });
});

test("a version whose tags name a later one as the one it replaced is not ours", () => {
  const [odd, later] = [version("a", 1_000, madeFrom(ids.b)), version("b", 2_000)];
  expect(lineageOf(odd, [odd, later], idOf)).toEqual({ lineage: "foreign", from: undefined });
});

test("what others stored between the replaced version and ours is listed, for the candidate's value to tell", () => {
  const [first, hasty] = [version("a", 1_000), version("b", 2_000)];
  const ours = version("c", 3_000, madeFrom(ids.a));
  expect(lineageOf(ours, [ours, hasty, first], idOf)).toEqual({
    lineage: "foreign",
    from: undefined,
    claimed: { from: first, between: [hasty] },
  });
});

test("what was stored after a version says nothing of whose it is", () => {
  const [first, ours] = [version("a", 1_000), version("b", 2_000, madeFrom(ids.a))];
  expect(lineageOf(ours, [version("c", 3_000), ours, first], idOf)).toEqual({ lineage: "ours", from: first });
});

test("a second version of one value is not ours if the first one cannot be read any more", async () => {
  const [first, once] = [version("a", 1_000), { ...version("b", 2_000, madeFrom(ids.a)), enabled: false }];
  const again = { ...version("c", 3_000, madeFrom(ids.a)), value: new SecretValue("new") };
  const read = async () => Promise.reject(new Error("a disabled version is not read"));
  expect((await provenLineage(again, [again, first, once], idOf, read)).lineage).toBe("foreign");
});

test("a value that was brought back was latest from its own version until the one that was taken back", () => {
  const [good, bad] = [version("a", 1_000), version("b", 2_000, madeFrom(ids.a))];
  const back = version("c", 3_000, madeFrom(ids.b, { restores: ids.a }));
  expect(restoredBy(back, [back, bad, good])).toEqual({ from: 1_000, until: 2_000 });
  expect(restoredBy(back, [back, bad])).toBeUndefined();
  expect(restoredBy(bad, [good, bad])).toBeUndefined();
});

test("what we published and have not retired is found below what somebody stored on top of it", () => {
  const [first, ours] = [version("a", 1_000), version("b", 2_000, madeFrom(ids.a))];
  const foreign = version("c", 3_000);
  expect(overtakenBy(foreign, [foreign, first, ours], idOf)).toEqual({ ours, from: first });
  const another = version("d", 4_000);
  expect(overtakenBy(another, [another, foreign, first, ours], idOf)).toEqual({ ours, from: first });
});

test("what we have retired is overtaken by nobody, nor is an older one below it", () => {
  const first = version("a", 1_000);
  const ours = version("b", 2_000, madeFrom(ids.a));
  const retired = version("c", 3_000, madeFrom(ids.b, { state: "retired" }));
  const foreign = version("d", 4_000);
  expect(overtakenBy(foreign, [foreign, retired, ours, first], idOf)).toBeUndefined();
  expect(overtakenBy(foreign, [foreign, first], idOf)).toBeUndefined();
});
