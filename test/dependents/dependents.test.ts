import { expect, test } from "vitest";
import { entryFor, resolveDependents } from "../../src/dependents/dependents.ts";
import { apps, groupId, subscription } from "../policy/fixtures.ts";
import { fleetOf, type Fleet, runningGroup } from "./groups-in-memory.ts";

const { signal } = new AbortController();
const discovered = "{ discover: { tag: reads } }";

function named(name: string, more = ""): string {
  return `{ group: "${groupId(name)}"${more} }`;
}

function add({ views }: Fleet, name: string, reads?: string, id = groupId(name)): void {
  views.set(id, runningGroup(name, { id, tags: reads === undefined ? {} : { reads } }));
}

async function namesIn({ secret, ports }: Fleet): Promise<(string | undefined)[]> {
  const dependents = await resolveDependents(secret, ports, signal);
  return dependents.map(({ group }) => group.split("/").at(-1));
}

test("the policy's groups come in its order, then the discovered ones that it does not name", async () => {
  const fleet = fleetOf(`${discovered}, ${named("zulu")}, ${named("alpha")}`);
  for (const name of ["mike", "alpha", "zulu"]) add(fleet, name, "orders-db");
  expect(await namesIn(fleet)).toEqual(["zulu", "alpha", "mike"]);
});

test("a group that the policy names and Azure tags counts once, as the policy writes it", async () => {
  const fleet = fleetOf(`${discovered}, ${named("orders-api", ", gate: false")}`);
  add(fleet, "orders-api", "orders-db", groupId("Orders-API"));
  const found = await resolveDependents(fleet.secret, fleet.ports, signal);
  expect(found).toEqual([{ group: groupId("orders-api").toLowerCase(), gate: false, after: [] }]);
});

test("a group that the policy names is a dependent whether or not Azure has it", async () => {
  const fleet = fleetOf(named("gone"));
  expect(await namesIn(fleet)).toEqual(["gone"]);
  expect(fleet.listed).toEqual([]);
});

test("what is to be restarted before a group is taken from the policy", async () => {
  const fleet = fleetOf(`${named("first")}, ${named("second", `, after: ["${groupId("first")}"]`)}`);
  const found = await resolveDependents(fleet.secret, fleet.ports, signal);
  expect(found.map(({ after }) => after.map((id) => id.split("/").at(-1)))).toEqual([[], ["first"]]);
});

test("a discovered group out of scope is never a dependent, also where Azure lists it", async () => {
  const fleet = fleetOf(discovered);
  const outside = groupId("outside", `${subscription}/resourceGroups/others`);
  fleet.views.set("outside", runningGroup("outside", { id: outside, tags: { reads: "orders-db" } }));
  const everything = {
    ...fleet.ports.groups,
    list: async function* () {
      yield* fleet.views.values();
    },
  };
  const ports = { ...fleet.ports, groups: everything };
  expect(await resolveDependents(fleet.secret, ports, signal)).toEqual([]);
});

test("keyturn's own group is never a dependent, even if its tag names the secret", async () => {
  const fleet = fleetOf(discovered, { head: `self: ${groupId("keyturn")}` });
  add(fleet, "KeyTurn", "orders-db");
  add(fleet, "orders-api", "orders-db");
  expect(await namesIn(fleet)).toEqual(["orders-api"]);
});

test("every scope is listed once, however many tags are looked for", async () => {
  const more = `${subscription}/resourceGroups/more`;
  const fleet = fleetOf(`${discovered}, { discover: { tag: also-reads } }`, {
    scopes: `scopes: ["${apps}", "${more}"]`,
  });
  add(fleet, "here", "orders-db");
  add(fleet, "there", "orders-db", groupId("there", more));
  expect(await namesIn(fleet)).toEqual(["here", "there"]);
  expect(fleet.listed).toHaveLength(2);
});

test.each([
  ["orders-db", true],
  ["ORDERS-DB", true],
  ["prod-kv/orders-db", true],
  ["billing-db, orders-db", true],
  ["billing-db;orders-db", true],
  ["billing-db\torders-db billing-url", true],
  ["other-kv/orders-db", false],
  ["orders-db-2", false],
  ["my-orders-db", false],
  ["", false],
  [undefined, false],
])("a group whose tag says '%s' reads the secret: %s", async (reads, isReader) => {
  const fleet = fleetOf(discovered);
  add(fleet, "orders-api", reads);
  expect(await namesIn(fleet)).toEqual(isReader ? ["orders-api"] : []);
});

test("of several entries for one group, its own comes before what its tags say, and the first tag before the second", () => {
  const { secret } = fleetOf(
    `${discovered}, { discover: { tag: also-reads }, gate: false }, ${named("orders-api", ", gate: false")}`,
  );
  const both = { reads: "orders-db", "also-reads": "orders-db" };
  expect(entryFor(secret, { id: groupId("ORDERS-API"), tags: both })).toMatchObject({ kind: "group" });
  expect(entryFor(secret, { id: groupId("other"), tags: both })).toMatchObject({ tag: "reads" });
  const { reads: _, ...second } = both;
  expect(entryFor(secret, { id: groupId("other"), tags: second })).toMatchObject({
    tag: "also-reads",
    gate: false,
  });
  expect(entryFor(secret, { id: groupId("other"), tags: {} })).toBeUndefined();
});
