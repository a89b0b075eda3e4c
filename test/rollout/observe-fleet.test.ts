import { expect, test } from "vitest";
import type { SecretPolicy } from "../../src/policy/policy.ts";
import { rotationId } from "../../src/rotation/record/rotation-id.ts";
import { observeFleet } from "../../src/rollout/observe-fleet.ts";
import { Fault } from "../../src/errors.ts";
import { nextRestarts } from "../../src/rollout/next-restarts.ts";
import { groupId } from "../policy/fixtures.ts";
import { publishedWorld } from "./published.ts";

const { signal } = new AbortController();

function oursRetired(secret: SecretPolicy | undefined): Record<string, string> {
  const from = "a".repeat(32);
  const rotation = rotationId(secret?.vault.id ?? "", secret?.name ?? "", from);
  return { "keyturn-rotation": rotation, "keyturn-from": from, "keyturn-state": "retired" };
}

const three = `
  - { vault: prod-kv, name: one, rotator: login, target: { host: one, users: [a, b] },
      value: "{username}:{password}", dependents: [{ group: "${groupId("a")}" }, { group: "${groupId("b")}" }] }
  - { vault: prod-kv, name: two, rotator: login, target: { host: two, users: [a, b] },
      value: "{username}:{password}", dependents: [{ group: "${groupId("c")}" }] }
  - { vault: other-kv, name: three, rotator: login, target: { host: three, users: [a, b] },
      value: "{username}:{password}", dependents: [{ group: "${groupId("d")}" }] }
`;

test("the readers of a single credential are urgent: what they hold is dead already", async () => {
  const { ports } = publishedWorld(`
  - { vault: prod-kv, name: one-role, rotator: login, target: { host: db, users: [a] },
      dependents: [{ group: "${groupId("single")}" }] }
  - { vault: prod-kv, name: two-roles, rotator: login, target: { host: db, users: [b, c] }, value: "{username}:{password}",
      dependents: [{ group: "${groupId("dual")}" }] }
`);
  const { fleet } = await observeFleet(ports, signal);
  expect(fleet.needs.map(({ secret, urgent }) => [secret, urgent])).toEqual([
    ["prod-kv/one-role", true],
    ["prod-kv/two-roles", false],
  ]);
});

const forbidden = new Fault("forbidden", "Azure answered 403");

test.each([
  ["a group", groupId("b").toLowerCase(), ["one", "two", "three"], ["a", "c", "d"]],
  ["a secret", "prod-kv/two", ["one", "three"], ["a", "b", "d"]],
  ["a vault", "prod-kv", ["three"], ["d"]],
])(
  "%s that cannot be looked at keeps nobody else from being looked at",
  async (_kind, what, secrets, groups) => {
    const { ports, faults, logged } = publishedWorld(three);
    faults.set(what, forbidden);
    const seen = await observeFleet(ports, signal);
    const named = new Set(seen.fleet.needs.map(({ secret }) => secret.split("/")[1]));
    expect([...named]).toEqual(secrets);
    expect([...seen.fleet.groups.keys()].map((id) => id.at(-1))).toEqual(groups);
    expect(seen.faults).toEqual([forbidden]);
    expect(logged.lines()).toMatchObject([{ level: 40, code: "forbidden", msg: "Azure answered 403" }]);
  },
);

test("a group that could not be looked at is not restarted, confirms nothing, and takes no room from others", async () => {
  const { ports, faults } = publishedWorld(three);
  faults.set(groupId("a").toLowerCase(), forbidden);
  const { fleet } = await observeFleet(ports, signal);
  const { restart, watch, unconfirmed } = nextRestarts(fleet, ports.policy.rollout);
  expect(restart.map(({ group }) => group)).toEqual([groupId("b").toLowerCase()]);
  expect(watch).toEqual([]);
  expect(unconfirmed).toContain("prod-kv/one");
});

test("a rotation that is not begun while its readers are down has nobody restarted or watched", async () => {
  const { ports, tags, groups } = publishedWorld(`
  - { vault: prod-kv, name: one, rotator: login, target: { host: one, users: [a] },
      dependents: [{ group: "${groupId("a")}" }] }
`);
  const accepting = ports.policy.secrets.map((secret) => {
    const observe = async (known: readonly unknown[]) => {
      return { exists: secret.rotator.slots, accepts: known.map(() => "accepted" as const) };
    };
    return { ...secret, rotator: { ...secret.rotator, observe } };
  });
  const waiting = { name: "app", image: "app:1", state: "Waiting", restartCount: 9 };
  groups.set(groupId("a").toLowerCase(), { containers: [waiting] });
  const asked = { "keyturn-intent": `routine somebody ${new Date(ports.clock.now()).toISOString()}` };
  const needs = async (latest: Readonly<Record<string, string>>) => {
    tags.set("prod-kv/one", { ...latest, ...asked });
    return (await observeFleet({ ...ports, policy: { ...ports.policy, secrets: accepting } }, signal)).fleet
      .needs;
  };
  expect(await needs(oursRetired(ports.policy.secrets[0]))).toEqual([]);
  // Somebody stored this one: its readers are to come up on it.
  expect(await needs({})).toHaveLength(1);
});

test("a survey that is cut off by the end of its job says so", async () => {
  const { ports, faults } = publishedWorld(three);
  const stopped = AbortSignal.abort();
  faults.set("prod-kv", new Fault("cancelled", "the worker is stopping"));
  await expect(observeFleet(ports, stopped)).rejects.toMatchObject({ code: "cancelled" });
});
