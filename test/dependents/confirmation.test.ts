import { expect, test } from "vitest";
import type { Publication } from "../../src/dependents/group-facts.ts";
import { observeReaders, type Waivers } from "../../src/dependents/confirmation.ts";
import { resolveDependents } from "../../src/dependents/dependents.ts";
import { fingerprintOf, waiverOf } from "../../src/dependents/fingerprint.ts";
import { groupId } from "../policy/fixtures.ts";
import { fleetOf, type Fleet, publishedAt, runningGroup } from "./groups-in-memory.ts";

const { signal } = new AbortController();
const minute = 60_000;
const discovered = "{ discover: { tag: reads }, gate: true }";

/** Three groups by name, of which `logs` gates nothing. */
function threeReaders(): Fleet {
  const fleet = fleetOf(
    `{ group: "${groupId("api")}" }, { group: "${groupId("jobs")}" }, { group: "${groupId("logs")}", gate: false }`,
  );
  for (const name of ["api", "jobs", "logs"]) fleet.views.set(name, runningGroup(name));
  return fleet;
}

function restarted(name: string, after = 2 * minute) {
  return runningGroup(name, { startedAt: publishedAt + after });
}

async function observed({ secret, ports }: Fleet, change: Partial<Publication> & Waivers = {}) {
  const publication = { publishedAt, restored: undefined, ...change };
  const found = await observeReaders(secret, publication, ports, signal);
  const names = (ids: readonly string[]) => ids.map((id) => id.split("/").at(-1));
  const { unconfirmed, down, others } = found;
  return { ...found, unconfirmed: names(unconfirmed), down: names(down), others: names(others) };
}

async function fingerprint({ secret, ports }: Fleet): Promise<string> {
  return fingerprintOf(secret, await resolveDependents(secret, ports, signal), ports.policy);
}

test("groups that have run since before the publish are not confirmed; of those that gate nothing it is said apart", async () => {
  expect(await observed(threeReaders())).toEqual({
    unconfirmed: ["api", "jobs"],
    confirmed: 0,
    down: [],
    others: ["logs"],
    lost: 0,
  });
});

test("a group that was started after the publish is confirmed, whoever has started it", async () => {
  const fleet = threeReaders();
  fleet.views.set("api", restarted("api"));
  fleet.views.set("logs", restarted("logs"));
  expect(await observed(fleet)).toMatchObject({ unconfirmed: ["jobs"], confirmed: 1, others: [] });
});

test("a group that was started a moment ago is confirmed once it has settled", async () => {
  const fleet = threeReaders();
  const { settle } = fleet.ports.policy.rollout;
  fleet.views.set("api", restarted("api", fleet.ports.clock.now() - publishedAt));
  expect(await observed(fleet)).toMatchObject({ unconfirmed: ["api", "jobs"] });
  await fleet.ports.clock.advance(settle);
  expect(await observed(fleet)).toMatchObject({ unconfirmed: ["jobs"] });
});

test("a group that Azure does not have holds up nothing", async () => {
  const fleet = threeReaders();
  fleet.views.delete("jobs");
  expect(await observed(fleet)).toMatchObject({ unconfirmed: ["api"], confirmed: 1 });
});

test("a group that a person has confirmed is not waited for, by the short name of its id in any case", async () => {
  const waived = [waiverOf(groupId("API").toUpperCase()), waiverOf(groupId("logs"))];
  expect(await observed(threeReaders(), { waived })).toMatchObject({
    unconfirmed: ["jobs"],
    confirmed: 1,
    others: [],
  });
});

test("a group that is not up is reported, also if a person has confirmed it; one that gates nothing is not", async () => {
  const fleet = threeReaders();
  const waiting = { name: "app", image: "app:1", state: "Waiting", restartCount: 3 };
  for (const name of ["api", "logs"])
    fleet.views.set(name, runningGroup(name, { state: "Pending", containers: [waiting] }));
  expect(await observed(fleet)).toMatchObject({ down: ["api"], unconfirmed: ["api", "jobs"] });
  const waived = [waiverOf(groupId("api"))];
  expect(await observed(fleet, { waived })).toMatchObject({ down: ["api"], unconfirmed: ["jobs"] });
});

test("after a roll-back a group that read the old value while it was latest need not be restarted", async () => {
  const fleet = threeReaders();
  const restored = { from: publishedAt - 120 * minute, until: publishedAt - 30 * minute };
  fleet.views.set("jobs", restarted("jobs", -10 * minute));
  expect(await observed(fleet, { restored })).toMatchObject({ unconfirmed: ["jobs"], others: [] });
});

test("discovered groups that were there at the publish and have lost their tag are counted as lost", async () => {
  const fleet = fleetOf(discovered);
  const tags = { reads: "orders-db" };
  for (const name of ["api", "jobs"]) fleet.views.set(name, runningGroup(name, { tags }));
  const recorded = await fingerprint(fleet);
  expect(await observed(fleet, { recorded })).toMatchObject({ lost: 0, unconfirmed: ["api", "jobs"] });
  fleet.views.set("jobs", runningGroup("jobs"));
  expect(await observed(fleet, { recorded })).toMatchObject({ lost: 1, unconfirmed: ["api"] });
  expect(await observed(fleet)).toMatchObject({ lost: 0 });
});
