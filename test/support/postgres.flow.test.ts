import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Certificates, createCertificates } from "../local-azure/tls.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";

let folder: string;
let tls: Certificates;
let server: PostgresServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  tls = await createCertificates(folder);
  server = await startPostgres({ tls, logStatement: "all" });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

test("a role logs in over verified TLS with its password and not with another", async () => {
  await server.createRole("app", "correct-password-1");
  expect(await whoAmI("app", "correct-password-1")).toBe("app");
  await expect(whoAmI("app", "wrong-password-1")).rejects.toMatchObject({ code: "28P01" });
  expect(await server.log()).toContain("CREATE ROLE");
  expect(await server.log()).not.toContain("correct-password-1");
});

test("log-ins without TLS and of the superuser from outside are refused", async () => {
  await expect(whoAmI("app", "correct-password-1", false)).rejects.toMatchObject({ code: "28000" });
  await expect(whoAmI("postgres", "any")).rejects.toMatchObject({ code: "28P01" });
});

test("an administrator may give a role a password but not read tables", async () => {
  await server.createAdmin("keyturn", "admin-password-1");
  await server.createRole("rotated");
  await server.sql("CREATE TABLE orders (id int)");
  const admin = await connect("keyturn", "admin-password-1");
  await admin.query("ALTER ROLE rotated NOLOGIN PASSWORD NULL");
  await expect(admin.query("SELECT * FROM orders")).rejects.toMatchObject({ code: "42501" });
  await admin.end();
});

test("several servers run side by side, and a stopped one is gone", async () => {
  const others = await Promise.all([startPostgres({ tls }), startPostgres({ tls })]);
  expect(new Set([server.port, ...others.map((one) => one.port)]).size).toBe(3);
  await Promise.all(others.map((one) => one.stop()));
  for (const one of others) expect(() => process.kill(one.pid, 0)).toThrow("ESRCH");
});

async function whoAmI(user: string, password: string, ssl = true): Promise<unknown> {
  const client = await connect(user, password, ssl);
  const { rows } = await client.query<{ name: string }>("SELECT current_user AS name");
  await client.end();
  return rows[0]?.name;
}

async function connect(user: string, password: string, ssl = true): Promise<Client> {
  const client = new Client({
    host: "127.0.0.1",
    port: server.port,
    user,
    password,
    database: "postgres",
    ssl: ssl ? { ca: tls.ca.pem } : false,
  });
  await client.connect();
  return client;
}
