import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMariaDb } from "../../../src/providers/mysql/client.ts";
import { shaCrypt } from "../../../src/providers/mysql/password-hash.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { type Certificates, createCertificates } from "../../local-azure/tls.ts";
import { type MySqlServer, type MySqlServerOptions, startMySqlServer } from "../../support/mysql-server.ts";

/** Azure Database for MySQL, as far as its protocol shows; see mysql-server.ts. */
let tls: Certificates;
const stack = new AsyncDisposableStack();

const never = new AbortController().signal;
// Longer than one byte of length can tell, as real tokens are.
const token = `an.access.token.${"x".repeat(2_000)}`;
const password = new SecretValue("a-password-for-mysql");

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  tls = await createCertificates(folder);
  await rm(folder, { recursive: true });
});

afterAll(() => stack.disposeAsync());

async function start(options: Partial<MySqlServerOptions> = {}) {
  const server: MySqlServer = stack.use(
    await startMySqlServer({
      version: "8.0.40-azure",
      plugin: "mysql_clear_password",
      tls: { key: tls.key, cert: tls.cert },
      answer: (statement) =>
        statement.startsWith("SELECT User, Host") ? [{ User: "orders_a", Host: "%" }] : undefined,
      ...options,
    }),
  );
  const address = { host: "localhost", port: server.port, database: "orders" };
  return { server, address, provider: createMariaDb({ token: async () => token, ca: tls.ca.pem }) };
}

test("the token is the administrator's password, in clear text over TLS", async () => {
  const { server, address, provider } = await start();
  expect([...(await provider.accounts(address, "keyturn", ["orders_a"], never))]).toEqual(["orders_a"]);
  expect(server.logIns).toEqual([{ user: "keyturn", password: token, tls: true }]);
});

test("MySQL gets a salted hash in its own words", async () => {
  const { server, address, provider } = await start();
  await provider.setPassword(address, "keyturn", "orders_a", password, never);
  const altered =
    /^ALTER USER 'orders_a'@'%' IDENTIFIED WITH caching_sha2_password AS '([^']+)' ACCOUNT UNLOCK$/;
  const [, hash = ""] = altered.exec(server.statements.at(-1) ?? "") ?? [];
  expect(hash.slice(0, 7)).toBe("$A$005$");
  expect(hash.slice(27)).toBe(shaCrypt(password.reveal(), Buffer.from(hash.slice(7, 27))));
  expect(server.statements.join("\n")).not.toContain(password.reveal());
});

test("sessions are ended by Azure's procedure where KILL is denied", async () => {
  const { server, address, provider } = await start({
    answer(statement) {
      if (statement.startsWith("SELECT User, Host")) return [{ User: "orders_a", Host: "%" }];
      if (statement.startsWith("SELECT ID")) return [{ ID: 17 }];
      return statement.startsWith("KILL") ? 1227 : undefined;
    },
  });
  await provider.lock(address, "keyturn", "orders_a", { endSessions: true }, never);
  expect(server.statements.slice(-2)).toEqual(["KILL CONNECTION 17", "CALL mysql.az_kill(17)"]);
  expect(server.statements.at(-4)).toMatch(/ ACCOUNT LOCK$/);
});

test("a server that denies both says which right is missing", async () => {
  const { address, provider } = await start({
    answer(statement) {
      if (statement.startsWith("SELECT User, Host")) return [{ User: "orders_a", Host: "%" }];
      if (statement.startsWith("SELECT ID")) return [{ ID: 17 }];
      if (statement.startsWith("CALL")) return 1305;
      return statement.startsWith("KILL") ? 1095 : undefined;
    },
  });
  const act = provider.lock(address, "keyturn", "orders_a", { endSessions: true }, never);
  await expect(act).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining("CONNECTION_ADMIN"),
  });
});

test.each([
  ["MySQL", "8.0.40-azure", "mysql_clear_password"],
  ["MariaDB 11.4, for which the connector would verify nothing", "11.4.2-MariaDB", "mysql_native_password"],
])(
  "%s with a certificate of somebody else's gets no token and no password",
  async (_name, version, plugin) => {
    const { server, address } = await start({ version, plugin });
    // What this process trusts does not include the authority of the server.
    const trusting = createMariaDb({ token: async () => token });
    const refused = { code: "unexpected-response", message: expect.stringContaining("nothing was sent") };
    await expect(trusting.accounts(address, "keyturn", ["orders_a"], never)).rejects.toMatchObject(refused);
    await expect(trusting.accepts(address, "orders_a", password, never)).rejects.toMatchObject(refused);
    expect(server.logIns).toEqual([]);
  },
);

test("a server without TLS gets nothing", async () => {
  const server = stack.use(
    await startMySqlServer({
      version: "8.0.40-azure",
      plugin: "mysql_clear_password",
      answer: () => undefined,
    }),
  );
  const address = { host: "localhost", port: server.port, database: "orders" };
  const provider = createMariaDb({ token: async () => token, ca: tls.ca.pem });
  await expect(provider.accounts(address, "keyturn", ["orders_a"], never)).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("no TLS"),
  });
  expect(server.logIns).toEqual([]);
});
