import { expect, test } from "vitest";
import { checkCloud, readConfig, readVaultUrls } from "../../src/config/config.ts";
import { isFault } from "../../src/errors.ts";

const client = {
  KEYTURN_POLICY: "/etc/keyturn/policy.yaml",
  KEYTURN_REDIS: "rediss://queue.westeurope.redis.azure.net:10000",
};
const worker = {
  ...client,
  KEYTURN_SERVICEBUS: "events.servicebus.windows.net",
  KEYTURN_QUEUE: "keyturn",
};

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isFault(error, "invalid-config")) return error.message;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

test("the worker's configuration has the documented defaults and is frozen", () => {
  const config = readConfig(worker, "worker");

  expect(config).toEqual({
    policyFile: "/etc/keyturn/policy.yaml",
    redis: { host: "queue.westeurope.redis.azure.net", port: 10_000, tls: true },
    clientId: undefined,
    logLevel: "info",
    endpoints: { resourceManager: undefined, graph: undefined, authority: undefined, vaults: undefined },
    otel: {},
    serviceBus: { namespace: "events.servicebus.windows.net", queue: "keyturn" },
    probes: { port: 8080, bind: "127.0.0.1" },
  });
  expect(() => Object.assign(config.probes, { port: 1 })).toThrow(TypeError);
  expect(() => Object.assign(config, { logLevel: "trace" })).toThrow(TypeError);
});

test("everything that can be set is taken over, and what is set to nothing counts as not set", () => {
  const config = readConfig(
    {
      ...worker,
      KEYTURN_SERVICEBUS: "localhost:5671",
      KEYTURN_REDIS: "redis://[::1]:6379",
      KEYTURN_PORT: "0",
      KEYTURN_BIND: "0.0.0.0",
      AZURE_CLIENT_ID: "6f1c2a3b-0000-4000-8000-000000000001",
      LOG_LEVEL: "debug",
      OTEL_SERVICE_NAME: "keyturn",
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=hush",
      KEYTURN_RESOURCE_MANAGER: "https://127.0.0.1:8444/",
      KEYTURN_AUTHORITY: "https://127.0.0.1:8445",
      KEYTURN_GRAPH: " ",
      KEYTURN_VAULTS: "Prod-KV=https://127.0.0.1:8446, test-kv=https://localhost:8447/",
    },
    "worker",
  );

  expect(config).toMatchObject({
    redis: { host: "::1", port: 6379, tls: false },
    clientId: "6f1c2a3b-0000-4000-8000-000000000001",
    logLevel: "debug",
    otel: { OTEL_SERVICE_NAME: "keyturn" },
    serviceBus: { namespace: "localhost:5671" },
    probes: { port: 0, bind: "0.0.0.0" },
  });
  expect(checkCloud(config, "custom")).toEqual({
    resourceManager: "https://127.0.0.1:8444",
    authority: "https://127.0.0.1:8445",
    graph: undefined,
    vaults: new Map([
      ["prod-kv", "https://127.0.0.1:8446"],
      ["test-kv", "https://localhost:8447"],
    ]),
  });
});

test("a client needs neither Service Bus nor probes", () => {
  expect(readConfig(client, "client")).toMatchObject({ policyFile: client.KEYTURN_POLICY });
});

test("all problems are told at once", () => {
  const message = refusal(() => readConfig({ KEYTURN_PORT: "http", KEYTURN_POLCY: "x" }, "worker"));

  expect(message).toContain("the environment has 6 problems");
  expect(message).toContain("KEYTURN_POLCY: unknown; expected one of KEYTURN_POLICY");
  expect(message).toContain("KEYTURN_POLICY: missing");
  expect(message).toContain("KEYTURN_REDIS: missing");
  expect(message).toContain("KEYTURN_SERVICEBUS: missing");
  expect(message).toContain("KEYTURN_QUEUE: missing");
  expect(message).toContain("KEYTURN_PORT: expected a port");
});

test.each([
  ["KEYTURN_REDIS", "queue.redis.azure.net:10000", "expected an address such as rediss://"],
  ["KEYTURN_REDIS", "https://queue.redis.azure.net:10000", "expected an address"],
  ["KEYTURN_REDIS", "rediss://queue.redis.azure.net", "expected a port"],
  ["KEYTURN_REDIS", "rediss://queue.redis.azure.net:10000/1", "nothing behind the port"],
  ["KEYTURN_REDIS", "rediss://user@queue.redis.azure.net:10000", "holds a user or password"],
  ["KEYTURN_REDIS", "redis://queue.redis.azure.net:6379", "only for loopback"],
  ["KEYTURN_REDIS", "redis://127.evil.example:6379", "only for loopback"],
  ["KEYTURN_SERVICEBUS", "sb://events.servicebus.windows.net/", "expected the host of the namespace"],
  ["KEYTURN_QUEUE", "key turn", "expected the name of a queue"],
  ["KEYTURN_PORT", "65536", "expected a port"],
  ["KEYTURN_PORT", "-1", "expected a port"],
  ["KEYTURN_BIND", "localhost", "expected an IP address"],
  ["AZURE_CLIENT_ID", "my-identity", "expected the client id"],
  ["LOG_LEVEL", "verbose", "expected one of trace, debug"],
  ["KEYTURN_RESOURCE_MANAGER", "http://127.0.0.1:8444", "expected an https:// address"],
  ["KEYTURN_AUTHORITY", "https://login.example/tenant", "expected an https:// address"],
  ["KEYTURN_VAULTS", "prod-kv=http://127.0.0.1:1", "expected name=https://host:port"],
  ["KEYTURN_VAULTS", "https://prod-kv.example", "expected name=https://host:port"],
  ["KEYTURN_VAULT", "x", "unknown"],
  ["keyturn_policy", "x", "unknown"],
])("%s=%s is refused", (name, value, says) => {
  const message = refusal(() => readConfig({ ...worker, [name]: value }, "worker"));

  expect(message).toContain(`${name}: `);
  expect(message).toContain(says);
});

test.each([
  ["AZURE_CLIENT_SECRET", "hush-hush"],
  ["PGPASSWORD", "hush-hush"],
  ["ADMIN_PASSWD", "hush-hush"],
  ["REDIS_PASS", "hush-hush"],
  ["STORAGE_KEY", "hush-hush"],
  ["AWS_SECRET_ACCESS_KEY", "hush-hush"],
  ["ApiKey", "hush-hush"],
  ["SERVICEBUS_CONNECTION_STRING", "hush-hush"],
  ["ConnectionStrings__Default", "hush-hush"],
  ["SQLCONNSTR_orders", "hush-hush"],
  ["STORAGE", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=hush-hush==;EndpointSuffix=core"],
  ["EVENTS", "Endpoint=sb://x/;SharedAccessKeyName=all;SharedAccessKey=hush-hush="],
  ["BLOB", "https://x.blob.example/c?sv=2026&sig=hush-hush-hush-hush-hush"],
  ["DATABASE", "Server=db;User Id=x;Password=hush-hush;"],
  ["DATABASE_URL", "postgresql://orders:hush-hush@db/orders"],
  ["CACHE_URL", "rediss://:hush-hush@cache:10000"],
  ["HTTPS_PROXY", "http://me:hush-hush@proxy:3128"],
  ["CERTIFICATE", "-----BEGIN PRIVATE KEY-----\nhush-hush"],
])("a credential in %s stops the worker, which names the variable and not its value", (name, value) => {
  const message = refusal(() => readConfig({ ...worker, [name]: value }, "worker"));

  expect(message).toContain(`${name} holds `);
  expect(message).toContain("managed identity");
  expect(message).not.toContain("hush");
});

test.each([
  ["IDENTITY_HEADER", "c2VjcmV0"],
  ["MSI_SECRET", "c2VjcmV0"],
  ["APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=1;IngestionEndpoint=https://x/"],
  ["OTEL_EXPORTER_OTLP_HEADERS", "api-key=x"],
  ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "password=x"],
  ["OTEL_EXPORTER_OTLP_CLIENT_KEY", "/etc/otel/key.pem"],
  ["PWD", "/app"],
  ["OLDPWD", "/"],
  ["NODE_OPTIONS", "--max-old-space-size=100"],
  ["npm_config_key", "x"],
  ["SSH_PRIVATE_KEY", "x"],
  ["SSH_ASKPASS", "/usr/bin/askpass"],
  ["GIT_ASKPASS", "/usr/bin/askpass"],
  ["GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"],
  ["KEYTURN_TEST_REDIS", "redis://:x@127.0.0.1:1"],
  ["KEYTURN_TEST_POSTGRES_PASSWORD", "x"],
  ["DB_PASSWORD", ""],
  ["KEYBOARD", "us"],
  ["MONKEY", "see"],
  ["LS_COLORS", "rs=0:di=01;34:ln=01;36"],
  ["DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"],
  ["HTTPS_PROXY", "http://proxy:3128"],
  ["PAGE", "https://x.example/a:b@c"],
  ["Fabric_ServiceName", "x"],
])("%s=%s stops nobody", (name, value) => {
  expect(readConfig({ ...worker, [name]: value }, "worker").policyFile).toBe(client.KEYTURN_POLICY);
});

test("on a person's machine only our own and Azure's variables are judged", () => {
  const env = { ...client, PGPASSWORD: "hush", GITHUB_KEY: "hush" };

  expect(readConfig(env, "client").redis.tls).toBe(true);
  expect(refusal(() => readConfig({ ...env, AZURE_CLIENT_SECRET: "hush" }, "client"))).toContain(
    "AZURE_CLIENT_SECRET holds ",
  );
});

test("a cloud that has its own endpoints takes none from the environment, and no plain Redis", () => {
  const config = readConfig(
    {
      ...worker,
      KEYTURN_REDIS: "redis://localhost:6379",
      KEYTURN_GRAPH: "https://graph.example",
      KEYTURN_VAULTS: "a-kv=https://x",
    },
    "worker",
  );

  const message = refusal(() => checkCloud(config, "public"));

  expect(message).toContain("KEYTURN_GRAPH: only for cloud: custom, but the policy says public; unset it");
  expect(message).toContain("KEYTURN_VAULTS: only for");
  expect(message).toContain("KEYTURN_REDIS: redis:// is only for");
  expect(message).not.toContain("KEYTURN_AUTHORITY");
  expect(checkCloud(readConfig(worker, "worker"), "china")).toBeUndefined();
});

test("a custom cloud needs to be told where its services are", () => {
  const message = refusal(() => checkCloud(readConfig(worker, "worker"), "custom"));

  expect(message).toContain("KEYTURN_RESOURCE_MANAGER: missing");
  expect(message).toContain("KEYTURN_VAULTS: missing");
});

test("vault URLs can be read alone, for checking a policy", () => {
  expect(readVaultUrls({})).toBeUndefined();
  expect(readVaultUrls({ KEYTURN_VAULTS: "a-kv=https://x:1" })).toEqual(new Map([["a-kv", "https://x:1"]]));
  expect(refusal(() => readVaultUrls({ KEYTURN_VAULTS: "a" }))).toContain("KEYTURN_VAULTS: expected name=");
});

test("the Azure SDK's own logging is refused, since it would go past the log that keeps values out", () => {
  expect(refusal(() => readConfig({ ...worker, AZURE_LOG_LEVEL: "verbose" }, "worker"))).toContain(
    "LOG_LEVEL",
  );
});
