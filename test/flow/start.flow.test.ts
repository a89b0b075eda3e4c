import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keyturn } from "../support/entry-points.ts";
import { startWorld, type World } from "../support/world.ts";

const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  world = stack.use(await startWorld());
});
afterAll(() => stack.disposeAsync());

/** What the worker says when it is started with this, and gives up. */
function saysAtStart(environment: Record<string, string>): { status: number | null; said: string } {
  const { file: script, environment: start } = keyturn();
  const env = { ...start, ...world.workerIdentity.env, ...world.workerEnvironment, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "worker"], {
    env,
    encoding: "utf8",
  });
  return { status, said: stdout + stderr };
}

test("a wrong policy stops the start and names the line and the fix", async () => {
  const file = join(world.folder, "wrong.yaml");
  await writeFile(
    file,
    "version: 1\ncloud: custom\nvaults: []\nscopes: []\nsecrets:\n  - vault: nowhere\n    name: x\n",
  );
  const { status, said } = saysAtStart({ KEYTURN_POLICY: file });
  expect(status).toBe(2);
  expect(said).toContain("invalid-policy");
  expect(said).toMatch(/wrong\.yaml:6:\d+/);
});

test("a password in the environment stops the start, and is not repeated", () => {
  const { status, said } = saysAtStart({ AZURE_CLIENT_SECRET: "canary-1f2e3d" });
  expect(status).toBe(2);
  expect(said).toContain("AZURE_CLIENT_SECRET");
  expect(said).not.toContain("canary-1f2e3d");
});

test("a connection string where a host is wanted stops the start, and is not repeated", () => {
  const { status, said } = saysAtStart({
    KEYTURN_SERVICEBUS: "Endpoint=sb://x/;SharedAccessKey=canary-4c5b6a",
  });
  expect(status).toBe(2);
  expect(said).toContain("KEYTURN_SERVICEBUS");
  expect(said).not.toContain("canary-4c5b6a");
});
