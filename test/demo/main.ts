import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import pc from "picocolors";
import { startSpanReceiver, traceTree } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { newPassword, startWorld, type World } from "../support/world.ts";
import { startMeter } from "./meter.ts";
import { followProgress } from "./progress.ts";
import { judge, printVerdict, rotationTrace, startOf } from "./verdict.ts";
import { whatToTry } from "./what-to-try.ts";

const { values } = parseArgs({
  options: { keep: { type: "boolean" }, single: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});

const usage = `npm run demo [-- --keep] [-- --single]

Starts Redis, PostgreSQL and a local Azure on loopback, two container groups of a sample application, and keyturn;
stores a secret that expires in 29 days, and watches what happens.

  --keep     leave everything running afterwards and say what to try next; Ctrl-C ends it
  --single   rotate one role in place instead of two that take turns: shows the short gap that one role has
`;

if (values.help) {
  console.log(usage);
} else {
  process.exitCode = await demo();
}

async function demo(): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const interrupted = Promise.withResolvers<"interrupted">();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => interrupted.resolve("interrupted"));
  const done = await Promise.race([run(stack), interrupted.promise]);
  if (done === "interrupted") return 130;
  if (values.keep) {
    console.log(pc.dim("\nEverything is left running. Ctrl-C ends it."));
    await interrupted.promise;
  }
  return done ? 0 : 1;
}

async function run(stack: AsyncDisposableStack): Promise<boolean> {
  const groups = ["orders-api", "billing-api"];
  say("starting Redis, PostgreSQL and the local Azure");
  const receiver = stack.use(await startSpanReceiver());
  const meter = stack.use(await startMeter());
  const world = stack.use(
    await startWorld({
      dependents: groups,
      single: values.single,
      otlp: receiver.url,
      nearExpiryDelay: 8_000,
    }),
  );

  const progress = stack.use(await followProgress(world));
  await world.startWorker();
  await until("keyturn has swept the vault for the first time", () => progress.swept() || failed(world));
  say("keyturn is up, as a container group of its own");

  const role = "orders_a";
  const password = newPassword();
  await world.setPassword(role, password);
  const connectionString = world.connectionString(role, password);
  const version = await world.store("orders-db", connectionString, 29);
  say(`secret prod-kv/orders-db stored, 29 days to live, version ${version}`);

  await Promise.all(groups.map((name) => world.startApp(name, meter.url)));
  await until("both applications serve queries", () => meter.servedOn(version).size === groups.length);
  const startedBefore = new Map(groups.map((name) => [name, startOf(world, name)]));
  say(`container groups ${groups.join(" and ")} are up and query the database as '${role}'`);
  say("Key Vault's event follows\n");

  await until("the rotation is closed", () => progress.closed() || failed(world), { limit: 90_000 });
  await quiet(() => receiver.spans.length);

  const before = { version, connectionString, role };
  const checks = await judge({ world, meter, spans: receiver.spans, before, groups, startedBefore });
  printTrace(receiver.spans);
  const ok = printVerdict(checks);
  if (!ok) printLog(world);
  if (values.keep) console.log(whatToTry(world));
  return ok;
}

/** The worker exports its spans in batches: waits until no more come. */
async function quiet(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count();
    await delay(1_000);
  }
}

/** A crash loop of the worker is not worth waiting for. */
function failed(world: World): boolean {
  return (world.worker()?.restartCount ?? 0) > 3;
}

function printTrace(spans: Parameters<typeof traceTree>[0]): void {
  const trace = rotationTrace(spans);
  if (!trace) return;
  console.log(`\n${pc.bold("Trace")} ${trace}`);
  const noise = /^(HTTP |SecretClient|ManagedIdentity|Servicebus|message$|complete |delay )/;
  for (const line of traceTree(spans, trace, ({ name }) => !noise.test(name))) console.log(`  ${line}`);
}

function printLog(world: World): void {
  console.log(pc.bold("\nThe worker's last words"));
  for (const line of world.worker()?.log.slice(-30) ?? []) console.log(`  ${line}`);
}

function say(text: string): void {
  console.log(`${pc.cyan("demo")}  ${text}`);
}
