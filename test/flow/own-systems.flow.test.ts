import { createConnection } from "mariadb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { IdentityWithEnvironment, LocalAzure } from "../local-azure/index.ts";
import { serveHttp } from "../local-azure/serve.ts";
import type { SecretVersionState } from "../local-azure/state.ts";
import { createExampleEndpoint } from "../support/http-endpoint.ts";
import { type MariaDbServer, startMariaDb } from "../support/mariadb.ts";
import { type SpanReceiver, startSpanReceiver } from "../support/spans.ts";
import { until } from "../support/until.ts";
import { newPassword, startWorld, type World } from "../support/world.ts";
import { latestOf, versionsOf } from "./fixture.ts";

const audience = "api://6f1c1d3e-0f2b-4a61-9c55-3a1d2f9e7b10";

const stack = new AsyncDisposableStack();
let world: World;
let receiver: SpanReceiver;
let mariadb: MariaDbServer;
/** What the endpoint's system accepts, by slot. */
const keys = new Map<string, string | undefined>([
  ["key-a", newPassword()],
  ["key-b", undefined],
]);
const firstPassword = newPassword();
const firstKey = keys.get("key-a") ?? "";

beforeAll(async () => {
  receiver = stack.use(await startSpanReceiver());
  world = stack.use(
    await startWorld({
      otlp: receiver.url,
      logLevel: "debug",
      overlap: "2s",
      systems: async (azure, worker) => [
        await startBilling(azure, worker),
        await startPartner(azure, worker),
      ],
    }),
  );
  await mariadb.setPassword("billing_a", firstPassword);
  await world.store("billing-db", connectionString("billing_a", firstPassword), 29);
  await world.store("partner-key", firstKey, 29);
  await world.startWorker();
});
afterAll(() => stack.disposeAsync());

/**
 * Azure Database for MySQL checks tokens itself. MariaDB knows nothing of Entra: here it is told each token of the worker
 * as the password of the worker's account, before the worker has it.
 */
async function startBilling(azure: LocalAzure, { identity }: IdentityWithEnvironment): Promise<object> {
  mariadb = stack.use(await startMariaDb({ tls: azure.tls }));
  await mariadb.createDatabase("billing");
  for (const user of ["billing_a", "billing_b"]) await mariadb.createUser(user);
  await mariadb.createAdmin("keyturn");
  azure.tokens.onIssue.add(async (issued) => {
    if (issued.identity.principalId !== identity.principalId) return;
    if (issued.audience.startsWith("https://ossrdbms-aad."))
      await mariadb.setPassword("keyturn", issued.token);
  });
  const users = ["billing_a", "billing_b"];
  return {
    vault: "prod-kv",
    name: "billing-db",
    rotator: "mariadb-user",
    target: { host: "localhost", port: mariadb.port, database: "billing", admin: "keyturn", users },
    value: "mariadb://{username}:{password:url}@{host}:{port}/{database}",
  };
}

async function startPartner(azure: LocalAzure, { identity }: IdentityWithEnvironment): Promise<object> {
  const jwks = await azure.tokens.jwks();
  const endpoint = createExampleEndpoint({
    system: { slots: keys, isSpreading: () => false },
    keys: { keys: jwks.keys.map((key) => ({ kty: "RSA", ...key })) },
    issuer: `https://sts.windows.net/${azure.state.tenantId}/`,
    audience,
    caller: identity.principalId,
  });
  const server = await serveHttp(async (request) => await endpoint.fetch(request), { tls: azure.tls });
  stack.defer(() => server.close());
  const target = { url: server.url, audience, slots: ["key-a", "key-b"] };
  return { vault: "prod-kv", name: "partner-key", rotator: "http", target };
}

function connectionString(user: string, password: string): string {
  return `mariadb://${user}:${password}@localhost:${mariadb.port}/billing`;
}

function rotated(name: string): Promise<SecretVersionState> {
  const closed = () => {
    const latest = latestOf(world, name);
    return versionsOf(world, name).length > 1 && latest?.tags["keyturn-state"] === "retired"
      ? latest
      : undefined;
  };
  return until(`the rotation of ${name} is closed`, closed, { limit: 240_000 });
}

async function logsIn(text: string): Promise<boolean> {
  const { username, password, port, pathname } = new URL(text);
  const login = { user: username, password: decodeURIComponent(password), database: pathname.slice(1) };
  try {
    const connection = await createConnection({
      ...login,
      host: "localhost",
      port: Number(port),
      ssl: { ca: world.azure.ca.pem },
    });
    await connection.end();
    return true;
  } catch (error) {
    if (error instanceof Error && "errno" in error && [1045, 4151].includes(Number(error.errno)))
      return false;
    throw error;
  }
}

describe("a MariaDB account near its expiry", () => {
  test("is followed by the other one, and refused when its time is over", async () => {
    const latest = await rotated("billing-db");
    expect(new URL(latest.value).username).toBe("billing_b");
    expect(latest.tags).toMatchObject({ "keyturn-credential": "billing_b" });
    expect(await logsIn(latest.value)).toBe(true);
    expect(await logsIn(connectionString("billing_a", firstPassword))).toBe(false);
    expect(versionsOf(world, "billing-db")[0]?.enabled).toBe(false);
  });
});

describe("a key behind an endpoint of the user's own", () => {
  test("is followed by one in the other slot, and refused when its time is over", async () => {
    const latest = await rotated("partner-key");
    expect(latest.tags).toMatchObject({ "keyturn-credential": "key-b" });
    expect(latest.value).not.toBe(firstKey);
    expect([...keys]).toEqual([
      ["key-a", undefined],
      ["key-b", latest.value],
    ]);
    expect(versionsOf(world, "partner-key")[0]?.enabled).toBe(false);
  });
});

test("no value and no token is in the database's log, in spans or in the worker's log", async () => {
  await rotated("billing-db");
  const stored = ["billing-db", "partner-key"].flatMap((name) => [
    ...versionsOf(world, name),
    ...versionsOf(world, `${name}--pending`),
  ]);
  const secrets = stored.map(({ value }) =>
    value.startsWith("mariadb:") ? decodeURIComponent(new URL(value).password) : value,
  );
  const places = {
    mariadb: await mariadb.generalLog(),
    spans: receiver.raw.join("\n"),
    log: world.worker()?.log.join("\n") ?? "",
  };
  for (const [place, text] of Object.entries(places)) {
    expect(text.length, place).toBeGreaterThan(0);
    for (const secret of secrets) expect(text.includes(secret), `a value in ${place}`).toBe(false);
    // How every token begins.
    expect(text.includes("eyJhbGciOi"), `a token in ${place}`).toBe(false);
  }
});
