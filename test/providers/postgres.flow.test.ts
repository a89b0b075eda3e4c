import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgres, type Postgres, type PostgresSettings } from "../../src/providers/postgres.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { type Certificates, createCertificates } from "../azure/tls.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";

let folder: string;
let tls: Certificates;
let server: PostgresServer;
let address: { host: string; port: number; database: string };

const adminPassword = "stands-in-for-a-token";
const admin = "keyturn";
const never = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  tls = await createCertificates(folder);
  server = await startPostgres({ tls, logStatement: "all" });
  address = { host: "localhost", port: server.port, database: "postgres" };
  await server.createAdmin(admin, adminPassword);
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

function postgres(settings: Partial<PostgresSettings> = {}): Postgres {
  return createPostgres({ token: async () => adminPassword, ca: tls.ca.pem, ...settings });
}

function accepts(user: string, password: string): Promise<boolean> {
  return postgres().accepts(address, user, new SecretValue(password), never);
}

test("a role is accepted with its password, and refused with another, an empty one, or if it does not exist", async () => {
  await server.createRole("accepts_a", "the-right-password");
  expect(await accepts("accepts_a", "the-right-password")).toBe(true);
  expect(await accepts("accepts_a", "the-wrong-password")).toBe(false);
  expect(await accepts("accepts_a", "")).toBe(false);
  expect(await accepts("nobody_here", "the-right-password")).toBe(false);
});

test("setting a password lets the role log in with it, also after it was disabled", async () => {
  await server.createRole('Odd "role"', "before");
  const password = new SecretValue("it's-a-\\new-$password$");
  await postgres().setPassword(address, admin, 'Odd "role"', password, never);
  expect(await postgres().accepts(address, 'Odd "role"', password, never)).toBe(true);
  await postgres().disableRole(address, admin, 'Odd "role"', { endSessions: false }, never);
  expect(await postgres().accepts(address, 'Odd "role"', password, never)).toBe(false);
  await postgres().setPassword(address, admin, 'Odd "role"', password, never);
  expect(await postgres().accepts(address, 'Odd "role"', password, never)).toBe(true);
});

test("roles are listed with whether they may log in, missing ones are left out", async () => {
  await server.createRole("listed_a", "any-password");
  await server.sql("CREATE ROLE listed_b NOLOGIN");
  const found = await postgres().roles(address, admin, ["listed_a", "listed_b", "missing"], never);
  expect(Object.fromEntries(found)).toEqual({ listed_a: { login: true }, listed_b: { login: false } });
});

test("disabling a role ends its sessions if asked, and nobody else's", async () => {
  await server.createRole("ended_a", "password-a");
  await server.createRole("ended_b", "password-b");
  const [ended, other] = [
    await openSession("ended_a", "password-a"),
    await openSession("ended_b", "password-b"),
  ];
  await postgres().disableRole(address, admin, "ended_a", { endSessions: false }, never);
  expect((await ended.query("SELECT 1")).rowCount).toBe(1);
  const gone = new Promise((resolve) => {
    ended.once("end", resolve);
  });
  await postgres().disableRole(address, admin, "ended_a", { endSessions: true }, never);
  await gone;
  expect((await other.query("SELECT 1")).rowCount).toBe(1);
  await other.end();
});

test("a role that does not exist is named with the SQL that creates it", async () => {
  const act = postgres().setPassword(address, admin, "absent", new SecretValue("some-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "target-missing",
    message: expect.stringContaining('CREATE ROLE "absent" LOGIN'),
  });
});

test("an administrator without the right is told the GRANT to run", async () => {
  await server.createRole("powerless", adminPassword);
  await server.createRole("wanted");
  const act = postgres().setPassword(address, "powerless", "wanted", new SecretValue("some-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining('GRANT "wanted" TO "powerless" WITH ADMIN OPTION;'),
  });
});

test("a user who may not connect to the database was accepted, which is no refusal of the password", async () => {
  await server.createDatabase("closed");
  await server.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
  await server.createRole("outside", "any-password");
  const closed = { ...address, database: "closed" };
  const act = postgres().accepts(closed, "outside", new SecretValue("any-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining('GRANT CONNECT ON DATABASE "closed" TO "outside";'),
  });
  const gone = { ...address, database: "gone" };
  await expect(postgres().roles(gone, admin, [], never)).rejects.toMatchObject({ code: "target-missing" });
});

test("an administrator whose token is refused gets help", async () => {
  const stranger = postgres({ token: async () => "not-the-token" });
  await expect(stranger.roles(address, admin, ["any"], never)).rejects.toMatchObject({
    code: "unauthenticated",
    message: expect.stringContaining("pgaadauth_create_principal('keyturn', false, false)"),
  });
});

test("a role that has no connection left is busy, not refused", async () => {
  await server.createRole("crowded", "any-password");
  await server.sql("ALTER ROLE crowded CONNECTION LIMIT 0");
  const act = postgres().accepts(address, "crowded", new SecretValue("any-password"), never);
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
});

test("a statement that waits for a lock is given up and can be tried again", async () => {
  await server.createRole("locked");
  await using locker = await lockRole("locked");
  const hasty = postgres({ statementTimeout: 200 });
  const act = hasty.setPassword(address, admin, "locked", new SecretValue("some-password"), never);
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
  expect(locker.held).toBe(true);
});

test("abort closes the connection in the middle of a statement", async () => {
  await server.createRole("aborted");
  await using locker = await lockRole("aborted");
  const controller = new AbortController();
  const act = postgres().setPassword(
    address,
    admin,
    "aborted",
    new SecretValue("some-password"),
    controller.signal,
  );
  act.catch(() => {});
  await expect.poll(() => waiting(), { timeout: 10_000 }).toBe(1);
  controller.abort();
  await expect(act).rejects.toMatchObject({ code: "cancelled" });
  expect(locker.held).toBe(true);
});

test("a server with a certificate of somebody else's authority gets no password", async () => {
  const other = await createCertificates(folder);
  await server.createRole("guarded", "a-guarded-password");
  const before = (await server.log()).length;
  const act = postgres({ ca: other.ca.pem }).accepts(
    address,
    "guarded",
    new SecretValue("a-guarded-password"),
    never,
  );
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("nothing was sent"),
  });
  expect((await server.log()).slice(before)).not.toContain("guarded");
});

test("a certificate for another name is refused", async () => {
  // 127.0.0.2 is the same server under a name that the certificate lacks.
  const proxy = await listen((socket) => relay(socket, server.port), "127.0.0.2");
  const elsewhere = { ...address, host: "127.0.0.2", port: proxy.port };
  const act = postgres().roles(elsewhere, admin, [], never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("ALTNAME"),
  });
  await proxy.close();
});

test("a server without TLS gets nothing but the question for it", async () => {
  const received: Buffer[] = [];
  const plain = await listen((socket) =>
    socket.on("data", (data: Buffer) => {
      received.push(data);
      socket.write("N");
    }),
  );
  const act = postgres().accepts(
    { ...address, port: plain.port },
    "app",
    new SecretValue("a-password"),
    never,
  );
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("no TLS"),
  });
  expect(Buffer.concat(received).toString("hex")).toBe("0000000804d2162f");
  await plain.close();
});

test("a server that is not there, or does not answer, is unavailable", async () => {
  const silent = await listen(() => {});
  const impatient = postgres({ connectTimeout: 200 });
  await expect(impatient.roles({ ...address, port: silent.port }, admin, [], never)).rejects.toMatchObject({
    code: "unavailable",
  });
  await silent.close();
  await expect(postgres().roles({ ...address, port: silent.port }, admin, [], never)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("abort while connecting closes the connection", async () => {
  const controller = new AbortController();
  const closed = Promise.withResolvers<void>();
  const silent = await listen((socket) => {
    socket.once("close", () => closed.resolve());
    controller.abort();
  });
  const act = postgres().roles({ ...address, port: silent.port }, admin, [], controller.signal);
  await expect(act).rejects.toMatchObject({ code: "cancelled" });
  await closed.promise;
  await silent.close();
});

async function openSession(user: string, password: string): Promise<Client> {
  const client = new Client({ ...address, user, password, ssl: { ca: tls.ca.pem } });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Holds the role's catalogue row, as a transaction that altered it and has not ended. */
async function lockRole(role: string): Promise<{ held: boolean } & AsyncDisposable> {
  const client = await openSession(admin, adminPassword);
  await client.query("BEGIN");
  await client.query(`ALTER ROLE ${role} NOLOGIN`);
  return {
    held: true,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

async function waiting(): Promise<unknown> {
  const [row] = await server.sql(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'keyturn'",
  );
  return row?.["count"];
}

async function listen(serve: (socket: Socket) => unknown, host = "127.0.0.1") {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  listener.listen(0, host);
  await once(listener, "listening");
  const found = listener.address();
  const port = typeof found === "object" ? (found?.port ?? 0) : 0;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
    await once(listener, "close");
  };
  return { port, close };
}

function relay(socket: Socket, port: number): void {
  const upstream = connect(port, "127.0.0.1");
  upstream.on("error", () => socket.destroy());
  socket.pipe(upstream).pipe(socket);
}
