import { expect, test } from "vitest";
import { survey } from "../../src/rollout/survey.ts";
import { groupId } from "../policy/fixtures.ts";
import { publishedWorld } from "./published.ts";

const { signal } = new AbortController();

test("the readers of a single credential are urgent: what they hold is dead already", async () => {
  const { ports } = publishedWorld(`
  - { vault: prod-kv, name: one-role, rotator: login, target: { host: db, users: [a] },
      dependents: [{ group: "${groupId("single")}" }] }
  - { vault: prod-kv, name: two-roles, rotator: login, target: { host: db, users: [b, c] }, value: "{username}:{password}",
      dependents: [{ group: "${groupId("dual")}" }] }
`);
  const { needs } = await survey(ports, signal);
  expect(needs.map(({ secret, urgent }) => [secret, urgent])).toEqual([
    ["prod-kv/one-role", true],
    ["prod-kv/two-roles", false],
  ]);
});
