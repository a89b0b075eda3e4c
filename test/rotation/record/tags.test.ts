import { expect, test } from "vitest";
import { readRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { rotationId } from "../../../src/rotation/record/rotation-id.ts";

const vault = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/prod-kv";
const ids = { a: "a".repeat(32), b: "b".repeat(32) };
const idOf = (id: string) => rotationId(vault, "orders-db", id);

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

test("what holds a rotation back is written in words and read back, in any order", () => {
  const hold = {
    notBefore: Date.UTC(2026, 10, 22),
    quarantined: "credential-rejected",
    failures: 2,
    leaked: true,
    waived: ["0123456789ab"],
  };
  const { "keyturn-hold": text = "" } = writeRecord({}, { hold });
  expect(text).toContain("not-before=2026-11-22T00:00:00.000Z");
  expect(readRecord({ "keyturn-hold": text }).hold).toEqual(hold);
  const backwards = text.split(" ").toReversed().join(" ");
  expect(readRecord({ "keyturn-hold": backwards }).hold).toEqual(hold);
});

test("a hold that says nothing is not written, and words that nobody knows are not believed", () => {
  expect(writeRecord({}, { hold: {} })).toEqual({});
  expect(writeRecord({}, { hold: { failures: 0, waived: [], leaked: false } })).toEqual({});
  const text = "not-before=soon failures=many leaked=perhaps waived=../../etc,0123456789ab more";
  expect(readRecord({ "keyturn-hold": text }).hold).toEqual({ waived: ["0123456789ab"] });
});
