import { expect, test } from "vitest";
import { gatesFor } from "../../src/dependents/gating.ts";
import { groupId } from "../policy/fixtures.ts";
import { fleetOf } from "./groups-in-memory.ts";

function secretReadBy(own: string, ofDerived: string) {
  const derived = `
  - vault: prod-kv
    name: orders-url
    from: orders-db
    value: "db://{username}:{password:url}@{host}"
    dependents: [${ofDerived}]`;
  return fleetOf(own, { derived }).secret;
}

function group(name: string, tags: Record<string, string> = {}) {
  return { id: groupId(name), tags };
}

const byTag = "{ discover: { tag: reads }, gate: true }";
const gates = (name: string) => `{ group: "${groupId(name)}" }`;
const follows = (name: string) => `{ group: "${groupId(name)}", gate: false }`;

test("the retirement waits for a group that reads the secret itself", () => {
  expect(gatesFor(secretReadBy(gates("api"), ""), group("API"))).toBe(true);
  expect(gatesFor(secretReadBy(byTag, ""), group("api", { reads: "orders-db" }))).toBe(true);
});

test("the retirement waits for a group that reads what is derived from the secret", () => {
  expect(gatesFor(secretReadBy("", gates("reports")), group("reports"))).toBe(true);
  expect(gatesFor(secretReadBy("", byTag), group("reports", { reads: "orders-url" }))).toBe(true);
});

test("the retirement does not wait for a group that gates nothing, nor for one that reads something else", () => {
  const secret = secretReadBy(`${follows("api")}, ${byTag}`, byTag);
  expect(gatesFor(secret, group("api", { reads: "orders-db" }))).toBe(false);
  expect(gatesFor(secret, group("other", { reads: "billing-db" }))).toBe(false);
  expect(gatesFor(secret, group("other"))).toBe(false);
});

test("a group that gates nothing of the secret itself gates it still by what is derived from it", () => {
  const secret = secretReadBy(follows("api"), gates("api"));
  expect(gatesFor(secret, group("api"))).toBe(true);
});
