import { isIP } from "node:net";
import { z } from "zod";
import { HttpsUrl, type RedisAddress, RedisUrl, VaultUrls } from "./values.ts";
import { secretsInEnvironment } from "./environment-secrets.ts";
import { Fault } from "../errors.ts";
import type { Policy } from "../policy/policy.ts";

/** What every command that reaches Azure or Redis needs. Holds no credential. */
export interface ClientConfig {
  /** Path of the policy file. */
  readonly policyFile: string;
  readonly redis: RedisAddress;
  /** Client id of a user-assigned identity; `undefined` = the system-assigned one. */
  readonly clientId: string | undefined;
  readonly logLevel: LogLevel;
  /** As far as they are set; `checkCloud` tells whether they should be. */
  readonly endpoints: Partial<Endpoints>;
  /** `OTEL_*` as given, without the headers: those may hold keys, and the exporters read them by themselves. */
  readonly otel: Readonly<Record<string, string>>;
}

export interface WorkerConfig extends ClientConfig {
  readonly serviceBus: { readonly namespace: string; readonly queue: string };
  /** Where the probes listen. */
  readonly probes: { readonly port: number; readonly bind: string };
}

/** Where the services of `cloud: custom` are. */
export interface Endpoints {
  readonly resourceManager: string;
  /** Needed only by rotators of Entra applications, as is `authority`. */
  readonly graph: string | undefined;
  readonly authority: string | undefined;
  /** By short name of the vault in lower case. */
  readonly vaults: ReadonlyMap<string, string>;
}

const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const LogLevel = z.enum(levels, `expected one of ${levels.join(", ")}`);
type LogLevel = z.infer<typeof LogLevel>;

const Client = z.object({
  KEYTURN_POLICY: z.string("missing; set it to the path of the policy file"),
  KEYTURN_REDIS: RedisUrl,
  AZURE_CLIENT_ID: z.guid("expected the client id of a user-assigned identity (a GUID)").optional(),
  LOG_LEVEL: LogLevel.default("info"),
  KEYTURN_RESOURCE_MANAGER: HttpsUrl.optional(),
  KEYTURN_GRAPH: HttpsUrl.optional(),
  KEYTURN_AUTHORITY: HttpsUrl.optional(),
  KEYTURN_VAULTS: VaultUrls.optional(),
});

const host =
  "expected the host of the namespace, such as name.servicebus.windows.net: no sb://, no connection string";
const Worker = Client.extend({
  KEYTURN_SERVICEBUS: z
    .string("missing; set it to the host of the Service Bus namespace")
    .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/i, host),
  KEYTURN_QUEUE: z
    .string("missing; set it to the queue that Event Grid delivers to")
    .regex(/^[a-z0-9](?:[\w./-]{0,258}[\w-])?$/i, "expected the name of a queue"),
  KEYTURN_PORT: z
    .string()
    .regex(/^\d{1,5}$/, "expected a port from 0 to 65535 (0: any free one)")
    .transform(Number)
    .refine((port) => port <= 65_535, "expected a port from 0 to 65535 (0: any free one)")
    .default(8080),
  KEYTURN_BIND: z
    .string()
    .refine((text) => isIP(text) !== 0, "expected an IP address, such as 127.0.0.1 or 0.0.0.0")
    .default("127.0.0.1"),
});

/** The process's environment, for `src/main.ts` to hand on; nobody else reads it. */
export function environment(): NodeJS.ProcessEnv {
  return process.env;
}

/**
 * The configuration, frozen. `worker` also needs Service Bus and the probes, and takes no credential of any kind in its
 * environment; `client` is what commands need on a person's machine, where only ours and Azure's variables are judged.
 * @throws Fault `invalid-config` that lists every problem by variable, never with a value
 */
export function readConfig(env: NodeJS.ProcessEnv, purpose: "worker"): WorkerConfig;
export function readConfig(env: NodeJS.ProcessEnv, purpose: "client"): ClientConfig;
export function readConfig(
  env: NodeJS.ProcessEnv,
  purpose: "worker" | "client",
): ClientConfig | WorkerConfig {
  const judged = purpose === "worker" ? undefined : /^(?:AZURE|KEYTURN)_/;
  const problems = [...secretsInEnvironment(env, judged), ...unknownNames(env), ...loudNames(env)];
  const given = withoutEmpty(env);
  const client = Client.safeParse(given);
  const worker = Worker.safeParse(given);
  const parsed = purpose === "worker" ? worker : client;
  problems.push(...(parsed.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? []));
  if (!client.success || problems.length > 0) throw invalid(problems);
  const config = clientConfig(client.data, given);
  if (purpose === "client" || !worker.success) return Object.freeze(config);
  return Object.freeze({
    ...config,
    serviceBus: Object.freeze({
      namespace: worker.data.KEYTURN_SERVICEBUS,
      queue: worker.data.KEYTURN_QUEUE,
    }),
    probes: Object.freeze({ port: worker.data.KEYTURN_PORT, bind: worker.data.KEYTURN_BIND }),
  });
}

/** `KEYTURN_VAULTS` alone, for checking a policy where nothing else is configured. @throws Fault `invalid-config` */
export function readVaultUrls(env: NodeJS.ProcessEnv): ReadonlyMap<string, string> | undefined {
  const parsed = Client.shape.KEYTURN_VAULTS.safeParse(withoutEmpty(env).KEYTURN_VAULTS);
  if (parsed.error) throw invalid(parsed.error.issues.map(({ message }) => `KEYTURN_VAULTS: ${message}`));
  return parsed.data;
}

/**
 * What can be judged only once the policy says in which cloud we are: the endpoints of `custom`, `undefined` otherwise.
 * @throws Fault `invalid-config` if endpoints are set for a cloud that has its own, or missing for `custom`
 */
export function checkCloud(config: ClientConfig, cloud: Policy["cloud"]): Endpoints | undefined {
  const { resourceManager, vaults, graph, authority } = config.endpoints;
  if (cloud === "custom") {
    if (resourceManager && vaults) return { resourceManager, vaults, graph, authority };
    const missing = [!resourceManager && "KEYTURN_RESOURCE_MANAGER", !vaults && "KEYTURN_VAULTS"].filter(
      Boolean,
    );
    throw invalid(missing.map((name) => `${name}: missing; the policy says cloud: custom`));
  }
  const only = `only for cloud: custom, but the policy says ${cloud}`;
  const given = [
    resourceManager && "KEYTURN_RESOURCE_MANAGER",
    graph && "KEYTURN_GRAPH",
    authority && "KEYTURN_AUTHORITY",
    vaults && "KEYTURN_VAULTS",
  ].filter((name) => name !== undefined);
  const problems = given.map((name) => `${name}: ${only}; unset it`);
  if (!config.redis.tls) problems.push(`KEYTURN_REDIS: redis:// is ${only}; use rediss://`);
  if (problems.length > 0) throw invalid(problems);
  return undefined;
}

function clientConfig(given: z.infer<typeof Client>, env: NodeJS.ProcessEnv): ClientConfig {
  const otel = Object.entries(env).filter(([name]) => /^OTEL_(?!\w*_HEADERS$)/.test(name));
  return {
    policyFile: given.KEYTURN_POLICY,
    redis: Object.freeze(given.KEYTURN_REDIS),
    clientId: given.AZURE_CLIENT_ID,
    logLevel: given.LOG_LEVEL,
    endpoints: Object.freeze({
      resourceManager: given.KEYTURN_RESOURCE_MANAGER,
      graph: given.KEYTURN_GRAPH,
      authority: given.KEYTURN_AUTHORITY,
      vaults: given.KEYTURN_VAULTS,
    }),
    otel: Object.freeze(Object.fromEntries(otel.flatMap(([name, value]) => (value ? [[name, value]] : [])))),
  };
}

/** A variable set to nothing is a variable not set: that is how container definitions leave one out. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
}

function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = Object.keys(Worker.shape).filter((name) => name.startsWith("KEYTURN_"));
  return Object.keys(env)
    .filter((name) => /^KEYTURN_(?!TEST_)/i.test(name) && !known.includes(name))
    .map((name) => `${name}: unknown; expected one of ${known.join(", ")}`);
}

/** The Azure SDK would write to stderr by itself, past our log and what keeps values out of it. */
function loudNames(env: NodeJS.ProcessEnv): string[] {
  return env["AZURE_LOG_LEVEL"]
    ? ["AZURE_LOG_LEVEL: makes the Azure SDK write past keyturn's log; use LOG_LEVEL"]
    : [];
}

function invalid(problems: readonly string[]): Fault {
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return new Fault("invalid-config", `the environment has ${count}:\n  ${problems.join("\n  ")}`);
}
