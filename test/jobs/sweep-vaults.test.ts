import { expect, test } from "vitest";
import { createSweepVaults } from "../../jobs/sweep-vaults.ts";
import { Fault } from "../../src/errors.ts";
import { publishedWorld } from "../rollout/published.ts";
import { recordedContext } from "./job-context.ts";

const secrets = `
  - { vault: prod-kv, name: one, rotator: plain }
  - { vault: other-kv, name: two, rotator: plain }
`;
const forbidden = new Fault("forbidden", "Azure answered 403");
const away = new Fault("unavailable", "no answer");

function sweeping(unseen: Readonly<Record<string, Fault>> = {}) {
  const { ports, faults, tags, logged } = publishedWorld(secrets);
  for (const [vault, fault] of Object.entries(unseen)) faults.set(vault, fault);
  const { context, queued } = recordedContext();
  const run = () => createSweepVaults(ports).run({ v: 1, policy: "test", deep: false }, context);
  const looks = () => queued.map(({ data }) => ("name" in data ? data.name : undefined));
  return { run, looks, tags, logged };
}

test("one vault that cannot be listed ends the sweep only after all others were swept", async () => {
  const { run, looks, logged } = sweeping({ "prod-kv": forbidden });
  await expect(run()).rejects.toBe(forbidden);
  expect(looks()).toEqual(["two"]);
  expect(logged.lines()).toMatchObject([{ vault: "prod-kv", code: "forbidden" }]);
});

test("a sweep is tried again if any vault may be there next time", async () => {
  const { run } = sweeping({ "prod-kv": forbidden, "other-kv": away });
  await expect(run()).rejects.toBe(away);
});

test.each([
  ["a rotation that is closed", { "keyturn-state": "retired" }, []],
  ["a rotation that is open", { "keyturn-state": "published" }, ["one"]],
  ["somebody who stored it, and whose event may be lost", {}, ["one"]],
])("a version of %s is looked at as far as there is something to do", async (_who, latest, expected) => {
  const { run, looks, tags } = sweeping();
  tags.set("prod-kv/one", latest);
  tags.set("other-kv/two", { "keyturn-state": "retired" });
  await run();
  expect(looks()).toEqual(expected);
});
