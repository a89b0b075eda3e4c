import { watch } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import pc from "picocolors";
import { whatToTry } from "../demo/what-to-try.ts";
import { newPassword, startWorld } from "../support/world.ts";
import { startWorker } from "./worker.ts";

const usage = `npm run dev

Starts Redis, PostgreSQL and a local Azure on loopback, one secret and a container group that reads it, and keyturn's
worker from the sources, which starts anew whenever one of them or the policy changes. Ctrl-C ends it all.
`;

const { values } = parseArgs({ options: { help: { type: "boolean", short: "h" } } });
if (values.help) console.log(usage);
else process.exitCode = await develop();

async function develop(): Promise<number> {
  const interrupted = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupted.resolve());
  await using stack = new AsyncDisposableStack();
  const running = run(stack);
  // An interrupt during the start waits for it, so that nothing is left half started.
  await Promise.race([running, interrupted.promise]);
  await running;
  await interrupted.promise;
  say("stopping");
  return 130;
}

async function run(stack: AsyncDisposableStack): Promise<void> {
  say("starting Redis, PostgreSQL and the local Azure");
  const world = stack.use(
    await startWorld({ dependents: ["orders-api"], overlap: "5s", lock: "5s", logLevel: "debug" }),
  );
  const password = newPassword();
  await world.setPassword("orders_a", password);
  await world.store("orders-db", world.connectionString("orders_a", password), 90);
  await world.startApp("orders-api");
  const policy = world.workerEnvironment.KEYTURN_POLICY ?? "";
  const worker = startWorker({ ...world.workerIdentity.env, ...world.workerEnvironment });
  stack.defer(() => worker.end());
  const watcher = watch(world.folder, (_event, name) => {
    if (name === basename(policy)) worker.restart(`${policy} has changed`);
  });
  stack.defer(() => watcher.close());
  console.log(whatToTry(world));
  console.log(`\n  ${pc.dim("# the policy, for an editor; it is read at every start")}\n  ${policy}`);
  console.log(
    pc.dim("\nThe worker starts anew when a source or the policy changes. Ctrl-C ends everything.\n"),
  );
}

function say(text: string): void {
  console.log(`${pc.cyan("dev")}  ${text}`);
}
