import { expect, test } from "vitest";
import { isTest, linkSourceFiles, reach, readSourceFiles } from "./files.ts";
import { needOf, sortTests } from "./needs.ts";
import { testsFor } from "./tests-for.ts";

const real = readSourceFiles();
const sorted = sortTests(real);

/** This file is sorted as well, so that what would give it a need is written in pieces. */
const [environment, setGlobal] = [["process", "env"].join("."), ["set", "Global"].join("")];

/** The real project with one more test file, which has this text. */
function withTest(text: string, more: Record<string, string> = {}) {
  const added = new Map([...Object.entries(more), ["test/new.test.ts", text] as const]);
  return new Map([...real, ...linkSourceFiles(added)]);
}

const needOfNew = (text: string, more?: Record<string, string>) =>
  needOf(withTest(text, more), "test/new.test.ts");

test("every test file is in exactly one project", () => {
  const all = [...real.keys()].filter(isTest).toSorted();
  expect(Object.values(sorted).flat().toSorted()).toEqual(all);
  expect(all.length).toBeGreaterThan(140);
});

test("no unit test can start a program, and no other file either that it reaches", () => {
  const found = sorted.unit.filter((file) =>
    [...reach(real, file, ({ imports }) => imports)].some((name) =>
      /^node:(child_process|cluster)$/.test(name),
    ),
  );
  expect(found).toEqual([]);
});

test.each([
  ["a server", 'import { startRedis } from "./support/redis.ts";', "servers"],
  ["a server, by way of another file", 'import { startRig } from "./queue/rig.ts";', "servers"],
  ["a program", 'import { spawn } from "node:child_process";', "servers"],
  ["a program, when it is run", `await import(${JSON.stringify("node:child_process")});`, "servers"],
  ["keyturn itself", 'import { startWorld } from "./support/world.ts";', "flow"],
  ["the environment", `${environment}.HOME = "/";`, "process"],
  ["OpenTelemetry", `trace.${setGlobal}TracerProvider(new TracerProvider());`, "process"],
  ["the token cache", 'import { ManagedIdentityCredential } from "@azure/identity";', "process"],
  ["many rotations", 'import { runMatrix } from "./crash/matrix.ts";', "minute"],
  ["no more than a type of a server", 'import type { RedisServer } from "./support/redis.ts";', "unit"],
  ["the local Azure in memory", 'import { createKeysInMemory } from "./support/keys-in-memory.ts";', "unit"],
])("a test that reaches %s is sorted by that, whatever its name", (_what, text, need) => {
  expect(needOfNew(text)).toBe(need);
});

test("what a test reaches through several files counts as well", () => {
  const more = {
    "test/a.ts": 'export * from "./b.ts";',
    "test/b.ts": 'import "./a.ts";\nimport {\n  spawn,\n} from "node:child_process";',
  };
  expect(needOfNew('import { a } from "./a.ts";', more)).toBe("servers");
});

test("a changed file brings the tests that import it, start it or read it, and no others", () => {
  expect(testsFor(real, ["src/queue/locks.ts"])).toEqual(
    expect.arrayContaining([
      "test/queue/locks.test.ts",
      "test/flow/cli.flow.test.ts",
      "test/architecture.test.ts",
    ]),
  );
  expect(testsFor(real, ["src/queue/locks.ts"])).not.toContain("test/policy/duration.test.ts");
  expect(testsFor(real, ["test/queue/killed-worker.ts"])).toContain("test/queue/stalled.flow.test.ts");
  expect(testsFor(real, ["test/queue/killed-worker.ts"])).not.toContain("test/queue/watch.test.ts");
  expect(testsFor(real, ["LICENSE"])).toEqual([]);
});

test("a change of how tests run brings them all", () => {
  expect(testsFor(real, ["test/vitest.config.ts"])).toEqual([...real.keys()].filter(isTest).toSorted());
});
