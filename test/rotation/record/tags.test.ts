import { expect, test } from "vitest";
import { lineageOf, provenLineage } from "../../../src/rotation/record/lineage.ts";
import { readRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { rotationId } from "../../../src/rotation/record/rotation-id.ts";
import { SecretValue } from "../../../src/secret-value.ts";

const vault = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/prod-kv";
const ids = { a: "a".repeat(32), b: "b".repeat(32), c: "c".repeat(32) };
const idOf = (id: string) => rotationId(vault, "orders-db", id);

function version(name: keyof typeof ids, createdAt: number, tags: Record<string, string> = {}) {
  return { name: "orders-db", version: ids[name], enabled: true, createdAt, tags };
}

test("a rotation's id is the same for everybody, whatever the case of vault and name, and differs by version", () => {
  expect(idOf(ids.a)).toBe(rotationId(vault.toUpperCase(), "ORDERS-DB", ids.a));
  expect(idOf(ids.a)).not.toBe(idOf(ids.b));
  expect(idOf(ids.a)).toMatch(/^r-[a-z2-7]{26}$/);
});

test("a record written is read back, and other people's tags are carried along", () => {
  const record = {
    rotation: idOf(ids.a),
    from: ids.a,
    credential: "orders_b",
    dependents: "2 abc",
    state: "published" as const,
    intent: { mode: "routine" as const, requestId: "q-1", at: Date.UTC(2026, 0, 1) },
  };
  const tags = writeRecord({ team: "orders", "keyturn-hold": "old" }, record);
  expect(tags.team).toBe("orders");
  expect(tags).not.toHaveProperty("keyturn-hold");
  expect(readRecord(tags)).toMatchObject(record);
});

test("malformed tags are absent, not believed", () => {
  const tags = {
    "keyturn-rotation": "r-short",
    "keyturn-from": "../../etc",
    "keyturn-state": "great",
    "keyturn-intent": "now please",
  };
  expect(Object.values(readRecord(tags)).every((value) => value === undefined)).toBe(true);
});

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
