import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rotatedAway, storeWorkingSecret } from "../flow/fixture.ts";
import { attributeOf, type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { root, startWorld, type World } from "../support/world.ts";

// What the image runs: one file, with no `node_modules` above it to fall back on.

const stack = new AsyncDisposableStack();
let folder: string;
let bundle: string;
let receiver: SpanReceiver;
let world: World;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyturn-bundle-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  bundle = join(folder, "keyturn.mjs");
  const config = join(root, "deploy/rolldown.config.mjs");
  const rolldown = join(root, "node_modules/.bin/rolldown");
  await promisify(execFile)(rolldown, ["--config", config, "--file", bundle], { cwd: root });
  receiver = stack.use(await startSpanReceiver());
  world = stack.use(await startWorld({ otlp: receiver.url }));
});
afterAll(() => stack.disposeAsync());

test("the bundle is one file of less than 10 MB", async () => {
  expect((await stat(bundle)).size).toBeLessThan(10_000_000);
});

test("the bundle rotates a secret, and its spans form one trace", async () => {
  const old = await storeWorkingSecret(world, 29);
  await world.arm.deploy({
    id: world.azure.groupId("core", "keyturn"),
    command: [process.execPath, "--disable-sigusr1", bundle, "worker"],
    environment: world.workerEnvironment,
    identity: world.workerIdentity.identity.resourceId,
  });
  const latest = await rotatedAway(world, old);
  const rotation = latest.tags["keyturn-rotation"];
  const mine = await until("the spans of the rotation arrive", () => {
    const found = receiver.spans.filter((span) => attributeOf(span, "keyturn.rotation") === rotation);
    return found.length > 0 ? found : undefined;
  });
  const [first] = mine;
  const names = receiver.spans.filter(({ traceId }) => traceId === first?.traceId).map(({ name }) => name);
  // Azure's clients and the queue are traced from inside: they show whether the bundle still patches nothing but works.
  expect(names.filter((name) => name.startsWith("SecretClient."))).not.toEqual([]);
  expect(names.length).toBeGreaterThan(10);
  expect(world.worker()?.restartCount).toBe(0);
});
