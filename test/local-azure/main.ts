import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { guide } from "./guide.ts";
import { startAzure } from "./index.ts";
import { resourceGroupId } from "./resource-ids.ts";

const usage = `usage: npm run azure -- [--env FILE] [--port N] [--limits] [--help]

Runs a local Azure on loopback until Ctrl-C: one vault (prod-kv), one queue (keyturn), one identity (keyturn).

  --env FILE   writes what to export to FILE, for "source FILE" and "node --env-file=FILE"
  --port N     fixed ports from N on, in place of free ones
  --limits     enforces Azure's documented rate limits
  --help       this text
`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      env: { type: "string" },
      port: { type: "string" },
      limits: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const base = values.port === undefined ? undefined : Number(values.port);
  if (base !== undefined && !(Number.isInteger(base) && base > 0 && base < 65_530)) {
    throw new Error(`--port ${values.port} is not a port below 65530`);
  }
  return { ...values, base };
}

async function main(): Promise<void> {
  const { env: envFile, base, limits, help } = readArguments();
  if (help) return console.log(usage);
  const port = (offset: number) => (base === undefined ? undefined : base + offset);
  const ports = {
    control: port(0),
    authority: port(1),
    resourceManager: port(2),
    serviceBus: port(3),
    postgresLogin: port(6),
    graph: port(7),
  };
  await using azure = await startAzure({ ports });
  azure.state.limits = limits;
  const vault = await azure.addVault("prod-kv", { port: port(4) });
  const { identity, env } = await azure.addIdentity("keyturn", { port: port(5) });
  const queue = azure.addQueue("keyturn").name;
  azure.subscribe({
    name: "keyturn",
    source: vault.id,
    queue,
    schema: "CloudEventSchemaV1_0",
    eventTypes: [],
  });
  for (const [role, scope] of [
    ["Key Vault Secrets Officer", vault.id],
    ["Azure Service Bus Data Receiver", azure.queueId(queue)],
    ["Azure Service Bus Data Sender", azure.queueId(queue)],
    ["Contributor", resourceGroupId(azure.state, "apps")],
    ["Reader", `/subscriptions/${azure.state.subscriptionId}`],
  ] as const) {
    azure.grant(identity.principalId, role, scope);
  }
  const environment = { ...env, ...azure.workerEnvironment(), KEYTURN_QUEUE: queue };
  const stop = nextSignal();
  if (envFile) await writeFile(envFile, toShell(environment));
  console.log(
    guide({
      environment: toShell(environment),
      identityUrl: env.AZURE_POD_IDENTITY_AUTHORITY_HOST ?? "",
      azure,
      vault,
    }),
  );
  await stop;
  console.log("stopping");
}

function toShell(environment: Record<string, string>): string {
  return Object.entries(environment)
    .map(([name, value]) => `export ${name}=${quote(value)}\n`)
    .join("");
}

function quote(value: string): string {
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(usage);
  process.exitCode = 2;
}
