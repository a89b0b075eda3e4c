import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/until.ts";
import { startWorld, type World } from "../support/world.ts";

const stack = new AsyncDisposableStack();
let world: World;

beforeAll(async () => {
  world = stack.use(await startWorld());
});
afterAll(() => stack.disposeAsync());

/** Starts the worker and waits until it has given up at least once. */
async function saysAtStart(environment: Record<string, string>): Promise<string> {
  await world.startWorker(environment);
  const ended = () =>
    world.worker()?.previousState ?? (world.worker()?.restartCount ? world.worker() : undefined);
  await until("the worker has given up", ended);
  return world.worker()?.log.join("\n") ?? "";
}

test("a wrong policy stops the start and names the line and the fix", async () => {
  const file = join(world.folder, "wrong.yaml");
  await writeFile(
    file,
    "version: 1\ncloud: custom\nvaults: []\nscopes: []\nsecrets:\n  - vault: nowhere\n    name: x\n",
  );
  const said = await saysAtStart({ KEYTURN_POLICY: file });
  expect(said).toContain("invalid-policy");
  expect(said).toMatch(/wrong\.yaml:6:\d+/);
});

test("a password in the environment stops the start, and is not repeated", async () => {
  const said = await saysAtStart({ AZURE_CLIENT_SECRET: "canary-1f2e3d" });
  expect(said).toContain("AZURE_CLIENT_SECRET");
  expect(said).not.toContain("canary-1f2e3d");
});

test("a connection string where a host is wanted stops the start, and is not repeated", async () => {
  const said = await saysAtStart({ KEYTURN_SERVICEBUS: "Endpoint=sb://x/;SharedAccessKey=canary-4c5b6a" });
  expect(said).toContain("KEYTURN_SERVICEBUS");
  expect(said).not.toContain("canary-4c5b6a");
});
