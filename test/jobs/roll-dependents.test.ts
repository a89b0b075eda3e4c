import { expect, test } from "vitest";
import { createRollDependents } from "../../jobs/roll-dependents.ts";
import { Fault } from "../../src/errors.ts";
import { groupId } from "../policy/fixtures.ts";
import { publishedWorld } from "../rollout/published.ts";
import { recordedContext } from "./job-context.ts";

const secrets = `
  - { vault: prod-kv, name: one, rotator: login, target: { host: one, users: [a, b] },
      value: "{username}:{password}", dependents: [{ group: "${groupId("a")}" }] }
  - { vault: prod-kv, name: two, rotator: login, target: { host: two, users: [a, b] },
      value: "{username}:{password}", dependents: [{ group: "${groupId("b")}" }] }
`;
const [a, b] = [groupId("a").toLowerCase(), groupId("b").toLowerCase()];
const away = new Fault("unavailable", "no answer");
const forbidden = new Fault("forbidden", "Azure answered 403");
const data = { v: 1 as const, policy: "test" };

function world(unseen: ReadonlyMap<string, Fault>) {
  const { ports, faults } = publishedWorld(secrets);
  for (const [what, fault] of unseen) faults.set(what, fault);
  const { context, queued } = recordedContext();
  const run = () => createRollDependents(ports).run(data, context);
  return { run, now: ports.clock.now(), groups: () => queued.map((job) => Object.entries(job.data)[0]?.[1]) };
}

test("what is away for a moment is looked at again soon, after all others were seen to", async () => {
  const { run, groups, now } = world(new Map([[a, away]]));
  expect(await run()).toMatchObject({ requeueAfter: now + 15_000 });
  expect(groups()).toEqual([b]);
});

test("if there is nothing else to do, the job is tried again", async () => {
  const everything = new Map([
    [a, forbidden],
    [b, away],
  ]);
  await expect(world(everything).run()).rejects.toBe(away);
});

test("what was refused for good does not bring the roller back", async () => {
  const { run, groups } = world(new Map([[a, forbidden]]));
  expect(await run()).toEqual({ done: "restarting" });
  expect(groups()).toEqual([b]);
});
