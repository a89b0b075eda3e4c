import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { startPostgresLogin } from "../local-azure/postgres-login.ts";
import { type IdentityWithEnvironment, type LocalAzure, startAzure } from "../local-azure/index.ts";
import type { ContainerState, VaultState } from "../local-azure/state.ts";
import { createArm, type Arm } from "./arm.ts";
import { keyturn, sampleApp } from "./entry-points.ts";
import { type PolicyOptions, policyText } from "./policy-text.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { type RedisServer, startRedis } from "./redis.ts";

export { root } from "./entry-points.ts";

export interface WorldOptions extends PolicyOptions {
  /** From a write with less than 30 days to live to its event; default 1 s. */
  readonly nearExpiryDelay?: number;
  /** Event types that reach the worker; default all. With fewer of them it is known which one starts what. */
  readonly events?: readonly string[];
  /** Collector for the worker's spans. */
  readonly otlp?: string;
  readonly logLevel?: string;
  /** Starts further systems that the worker shall find, and tells the secrets that live there as the policy writes them. */
  readonly systems?: (azure: LocalAzure, worker: IdentityWithEnvironment) => Promise<readonly object[]>;
}

/** Everything a worker lives in: the local Azure, Redis, PostgreSQL, one secret on two roles, and who may do what. */
export interface World extends AsyncDisposable {
  readonly azure: LocalAzure;
  readonly arm: Arm;
  readonly redis: RedisServer;
  /** Starts Redis again, empty, with the log-ins it had. */
  restartRedis(): Promise<void>;
  readonly postgres: PostgresServer;
  readonly vault: VaultState;
  readonly workerIdentity: IdentityWithEnvironment;
  readonly operator: IdentityWithEnvironment;
  readonly folder: string;
  /** What the worker finds in its environment on ACI, without what the platform gives. */
  readonly workerEnvironment: Readonly<Record<string, string>>;
  groupId(name: string): string;
  /** Deploys keyturn as a container group: restarted whenever it ends, as on ACI. */
  startWorker(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** The worker's container as ACI tells it. */
  worker(): ContainerState | undefined;
  /** Deploys a sample application that reads `orders-db` when it starts. */
  startApp(
    name: string,
    meter?: string,
    more?: {
      readonly tags?: Readonly<Record<string, string>>;
      readonly environment?: Readonly<Record<string, string>>;
    },
  ): Promise<void>;
  /** A container of a dependent. */
  app(name: string): ContainerState | undefined;
  /** A connection string for a role with this password. */
  connectionString(role: string, password: string): string;
  /** Stores a version as a person would, with this many days to live. Resolves with its version id. */
  store(name: string, value: string, days: number, tags?: Record<string, string>): Promise<string>;
  /** Gives a role a password by hand. */
  setPassword(role: string, password: string): Promise<void>;
}

const queue = "keyturn-events";
const database = "orders";
const roles = ["orders_a", "orders_b"] as const;

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const stack = new AsyncDisposableStack();
  try {
    return await build(stack, options);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(stack: AsyncDisposableStack, options: WorldOptions): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-world-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const redis = stack.use(await startRedis({ acl: ["user default off"] }));
  const azure = stack.use(
    await startAzure({
      nearExpiryDelay: options.nearExpiryDelay,
      containers: { backOff: { first: 200, most: 400 } },
    }),
  );
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), azure.ca.pem]);
  const restartRedis = acceptTokensAtRedis(azure, redis);
  const logIn = await startPostgresLogin(azure.state, azure.tokens);
  stack.defer(() => logIn.close());
  const postgres = stack.use(await startDatabase(azure, logIn.port));
  const vault = await azure.addVault("prod-kv");
  azure.addQueue(queue, { lockDuration: 30_000 });
  azure.subscribe({
    name: "keyturn",
    source: vault.id,
    queue,
    schema: "CloudEventSchemaV1_0",
    eventTypes: options.events ?? [],
  });
  const { worker, operator } = await addPeople(azure);
  azure.state.postgresRoles.set("keyturn", worker.identity.principalId);
  const arm = createArm(azure, operator.identity);
  const policy = join(folder, "policy.yaml");
  const secrets = [...(options.secrets ?? []), ...((await options.systems?.(azure, worker)) ?? [])];
  await writeFile(policy, policyText(azure, { ...options, secrets, port: postgres.port, database, roles }));
  const environment = workerEnvironment(azure, redis, policy, options);
  return {
    ...verbs(azure, arm, vault, postgres),
    ...deployments(azure, arm, vault, { identity: worker.identity.resourceId, environment }),
    azure,
    arm,
    redis,
    restartRedis,
    postgres,
    vault,
    workerIdentity: worker,
    operator,
    folder,
    workerEnvironment: environment,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/**
 * Azure Managed Redis checks tokens itself; a plain server is told each token as a further password of its principal.
 * A server that was started again has forgotten them: the function that comes back starts it and tells them anew.
 */
function acceptTokensAtRedis(azure: LocalAzure, redis: RedisServer): () => Promise<void> {
  const told: string[][] = [];
  const tell = (rule: string[]) => redis.admin("ACL", "SETUSER", ...rule);
  azure.tokens.onIssue.add(async ({ identity, audience, token }) => {
    if (!audience.startsWith("https://redis.azure.com")) return;
    const rule = [identity.principalId, "on", `>${token}`, "~*", "&*", "+@all"];
    told.push(rule);
    // A server that is away hears of it when it comes back.
    await tell(rule).catch(() => {});
  });
  return async () => {
    await redis.restart();
    for (const rule of told) await tell(rule);
  };
}

async function startDatabase(azure: LocalAzure, ldapPort: number): Promise<PostgresServer> {
  const postgres = await startPostgres({ tls: azure.tls, ldapPort });
  await postgres.createDatabase(database);
  for (const role of roles) await postgres.createRole(role);
  await postgres.createAdmin("keyturn");
  await postgres.sql("CREATE TABLE orders (id serial PRIMARY KEY)", [], database);
  await postgres.sql(`GRANT SELECT ON orders TO ${roles.join(", ")}`, [], database);
  return postgres;
}

/** The worker has what `deploy/` gives it, no more; the operator stands for the people who own the subscription. */
async function addPeople(azure: LocalAzure) {
  const worker = await azure.addIdentity("keyturn");
  const operator = await azure.addIdentity("operator");
  const subscription = `/subscriptions/${azure.state.subscriptionId}`;
  const id = worker.identity.principalId;
  azure.grant(id, "Keyturn Secrets", azure.vaultId("prod-kv"));
  azure.grant(id, "Azure Service Bus Data Receiver", azure.queueId(queue));
  azure.grant(id, "Keyturn Restarter", `${subscription}/resourceGroups/apps`);
  azure.grant(operator.identity.principalId, "Owner", subscription);
  return { worker, operator };
}

function workerEnvironment(
  azure: LocalAzure,
  redis: RedisServer,
  policy: string,
  options: WorldOptions,
): Record<string, string> {
  const tracing: Record<string, string> = options.otlp
    ? {
        OTEL_EXPORTER_OTLP_ENDPOINT: options.otlp,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_BSP_SCHEDULE_DELAY: "200",
      }
    : {};
  return {
    ...azure.workerEnvironment(),
    ...tracing,
    KEYTURN_POLICY: policy,
    KEYTURN_QUEUE: queue,
    KEYTURN_REDIS: `redis://127.0.0.1:${redis.port}`,
    KEYTURN_PORT: "0",
    LOG_LEVEL: options.logLevel ?? "info",
  };
}

function verbs(azure: LocalAzure, arm: Arm, vault: VaultState, postgres: PostgresServer) {
  const connectionString = (role: string, password: string) =>
    `postgresql://${role}:${encodeURIComponent(password)}@localhost:${postgres.port}/${database}`;
  return {
    connectionString,
    groupId: (name: string) => azure.groupId("apps", name),
    async setPassword(role: string, password: string) {
      await postgres.sql(`ALTER ROLE ${role} LOGIN PASSWORD '${password}'`);
    },
    async store(name: string, value: string, days: number, tags: Record<string, string> = {}) {
      const exp = Math.floor(Date.now() / 1000) + days * 24 * 3600;
      const body = { value, contentType: "text/plain", tags, attributes: { exp } };
      const stored = await arm.put<{ id: string }>(
        `${vault.url}/secrets/${name}?api-version=7.6`,
        body,
        "vault",
      );
      return stored.id.split("/").at(-1) ?? "";
    },
  };
}

/** Container groups, made through Resource Manager as people make them. */
function deployments(
  azure: LocalAzure,
  arm: Arm,
  vault: VaultState,
  { identity, environment }: { identity: string; environment: Readonly<Record<string, string>> },
): Pick<World, "startWorker" | "worker" | "startApp" | "app"> {
  const containerOf = (id: string) => azure.state.groups.get(id.toLowerCase())?.containers[0];
  const workerId = azure.groupId("core", "keyturn");
  return {
    worker: () => containerOf(workerId),
    app: (name) => containerOf(azure.groupId("apps", name)),
    startWorker: (more = {}) =>
      arm.deploy({
        id: workerId,
        command: [process.execPath, keyturn().file, "worker"],
        environment: { ...keyturn().environment, ...environment, ...more },
        identity,
      }),
    async startApp(name, meter = "", { tags = {}, environment: own = {} } = {}) {
      const app = await azure.addIdentity(name);
      azure.grant(app.identity.principalId, "Key Vault Secrets User", vault.id);
      await arm.deploy({
        id: azure.groupId("apps", name),
        command: [process.execPath, sampleApp().file],
        environment: {
          ...sampleApp().environment,
          APP_NAME: name,
          VAULT_URL: vault.url,
          SECRET_NAME: "orders-db",
          LOCAL_VAULT: "1",
          METER_URL: meter,
          // Each query is a log-in with TLS and SCRAM, which is dear, and in vain where nobody counts them.
          ...(meter === "" ? { QUERY_PAUSE: "1000" } : {}),
          ...own,
        },
        identity: app.identity.resourceId,
        tags,
      });
    },
  };
}

/** A password nobody has thought of before. */
export function newPassword(): string {
  return `p${randomBytes(18).toString("hex")}`;
}
