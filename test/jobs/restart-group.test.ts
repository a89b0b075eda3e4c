import { expect, test } from "vitest";
import { createRestartGroup } from "../../jobs/restart-group.ts";
import { groupId } from "../policy/fixtures.ts";
import { publishedAt, publishedWorld } from "../rollout/published.ts";
import { recordedContext } from "./job-context.ts";

const group = groupId("orders-api").toLowerCase();
const tags = { readers: "one", "gating-readers": "one two" };

/** Lets the restart of a group fail, and tells what that makes others do. */
async function failedRestart(dependents: string, secret = "one"): Promise<string[]> {
  const { ports, groups } = publishedWorld(`
  - { vault: prod-kv, name: ${secret}, rotator: plain, dependents: [${dependents}] }
`);
  const container = { name: "app", image: "app:1", state: "Waiting", restartCount: 9 };
  groups.set(group, { tags, containers: [container] });
  const { context, queued } = recordedContext();
  const at = { startedAfter: publishedAt, since: publishedAt, sentAt: publishedAt };
  const data = { v: 1 as const, policy: "test", group, secrets: [`prod-kv/${secret}`], ...at };
  await expect(createRestartGroup(ports).run(data, context)).rejects.toMatchObject({
    code: "restart-failed",
  });
  return queued.map(({ stage }) => stage);
}

test.each([
  ["named by the policy", `{ group: "${group}" }`],
  ["discovered by a tag that gates", "{ discover: { tag: gating-readers }, gate: true }"],
])("the failed restart of a group that gates, %s, turns the rotation back", async (_how, dependents) => {
  expect(await failedRestart(dependents)).toEqual(["rotate-secret"]);
});

test.each([
  ["discovered", "{ discover: { tag: readers } }"],
  [
    "named so, though found by a tag as well",
    `{ group: "${group}", gate: false }, { discover: { tag: gating-readers }, gate: true }`,
  ],
  ["no reader of it any more", ""],
])("the failed restart of a group that is %s gates nothing: the others go on", async (_how, dependents) => {
  expect(await failedRestart(dependents)).toEqual(["roll-dependents"]);
});

test("a tag speaks only for the secrets that it lists", async () => {
  const discovered = "{ discover: { tag: gating-readers }, gate: true }";
  expect(await failedRestart(discovered, "two")).toEqual(["rotate-secret"]);
  expect(await failedRestart(discovered, "three")).toEqual(["roll-dependents"]);
});
