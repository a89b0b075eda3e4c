import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFailed, test } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { startMeter, type Meter } from "../demo/meter.ts";
import { until } from "../support/until.ts";
import { startWorld, type World, type WorldOptions } from "../support/world.ts";
import { runCommand } from "./command.ts";
import { killWorker, latestOf, logsIn, rotatedAway, seldom, storeWorkingSecret } from "./fixture.ts";

const PolicyFile = z.looseObject({
  defaults: z.looseObject({ overlap: z.string() }),
  secrets: z.array(z.looseObject({ dependents: z.array(z.looseObject({})).optional() })),
});
type PolicyFile = z.infer<typeof PolicyFile>;

/** Nothing more happens to a rotation once the readers have followed. */
const long = "2h";

let stack: AsyncDisposableStack;
let world: World;
let meter: Meter;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  meter = stack.use(await startMeter());
});
afterEach(() => stack.disposeAsync());

/** A rotation whose new version is published and read, and whose old credential lives for a long time. */
async function openRotation(
  options: WorldOptions,
  apps: readonly string[],
  prepare: (policy: PolicyFile) => void = () => {},
): Promise<string> {
  onTestFailed(() => console.log(world.worker()?.log.slice(-40).join("\n")));
  world = stack.use(await startWorld({ nearExpiryDelay: 500, settle: "500ms", overlap: long, ...options }));
  const old = await storeWorkingSecret(world, 29);
  const { value = "" } = latestOf(world) ?? {};
  for (const name of apps)
    await world.startApp(name, meter.url, { environment: seldom, tags: { "keyturn-secrets": "orders-db" } });
  await until("they serve", () => meter.servedOn(old).size === apps.length);
  await rewritePolicy(prepare);
  await world.startWorker();
  const isWaiting = () => world.worker()?.log.some((line) => line.includes('"action":"prove"')) === true;
  await until(
    "a new version is published and proven",
    () => latestOf(world)?.version !== old && isWaiting(),
    {
      limit: 240_000,
    },
  );
  expect(await logsIn(value)).toBe(true);
  return value;
}

async function rewritePolicy(change: (policy: PolicyFile) => void): Promise<void> {
  const file = join(world.folder, "policy.yaml");
  const policy = PolicyFile.parse(parse(await readFile(file, "utf8")));
  change(policy);
  await writeFile(file, stringify(policy));
}

/** As a deployment of another policy file: the worker starts anew with it. */
async function changePolicy(change: (policy: PolicyFile) => void): Promise<void> {
  await rewritePolicy(change);
  killWorker(world);
}

function closed(): Promise<unknown> {
  return rotatedAway(world, "");
}

test("an overlap that is changed while the old credential lives counts as it is written now", async () => {
  const old = await openRotation({ dependents: ["orders-api"] }, ["orders-api"]);
  await changePolicy((policy) => {
    policy.defaults.overlap = "1s";
  });
  await closed();
  expect(await logsIn(old)).toBe(false);
  expect(await logsIn(latestOf(world)?.value ?? "")).toBe(true);
});

test("a reader that is added to the policy in the middle is moved before the old credential retires", async () => {
  await openRotation({ dependents: ["orders-api"] }, ["orders-api", "reports"]);
  const { version = "" } = latestOf(world) ?? {};
  await changePolicy((policy) => {
    policy.defaults.overlap = "1s";
    policy.secrets[0]?.dependents?.push({ group: world.groupId("reports") });
  });
  await closed();
  await until("the new reader serves on the new version", () => meter.servedOn(version).has("reports"));
  expect(meter.failedBy("reports") + meter.failedBy("orders-api")).toBe(0);
});

test("a secret that is taken out of the policy is left as it is, and goes on when it is back", async () => {
  const old = await openRotation({ dependents: ["orders-api"] }, ["orders-api"]);
  const { version, value = "" } = latestOf(world) ?? {};
  let secrets: PolicyFile["secrets"] = [];
  await changePolicy((policy) => {
    ({ secrets } = policy);
    policy.defaults.overlap = "1s";
    policy.secrets = [{ vault: "prod-kv", name: "another", rotator: "random" }];
  });
  const asked = await runCommand(world, ["rotate", "prod-kv/orders-db"]);
  expect(asked).toMatchObject({ code: 2 });
  const isAway = (line: string) => line.includes('"code":"not-in-policy"');
  await until("the worker has heard of a secret that it does not know", () =>
    world.worker()?.log.some(isAway),
  );
  expect(await runCommand(world, ["sweep", "--deep"])).toMatchObject({ code: 0 });
  expect([await logsIn(old), await logsIn(value), latestOf(world)?.version]).toEqual([true, true, version]);
  await changePolicy((policy) => {
    policy.secrets = secrets;
  });
  await closed();
  expect([await logsIn(old), await logsIn(value)]).toEqual([false, true]);
});

test("a reader that cannot be found any more keeps the old credential alive until a person has confirmed it", async () => {
  const old = await openRotation({ dependents: ["orders-api"] }, ["orders-api", "reports"], (policy) => {
    policy.secrets[0]?.dependents?.push({ discover: { tag: "keyturn-secrets" }, gate: true });
  });
  const reports = world.groupId("reports");
  const group = world.azure.state.groups.get(reports.toLowerCase());
  delete group?.tags["keyturn-secrets"];
  await changePolicy((policy) => {
    policy.defaults.overlap = "1s";
  });
  const asks = () => world.worker()?.log.some((line) => line.includes('"code":"dependents-missing"'));
  await until("the worker asks", () => asks() === true, { limit: 240_000 });
  expect(await logsIn(old)).toBe(true);
  const answer = await runCommand(world, ["resolve", "prod-kv/orders-db", "--confirm", reports]);
  expect(answer).toMatchObject({ code: 0, err: "" });
  await closed();
  expect(await logsIn(old)).toBe(false);
});
