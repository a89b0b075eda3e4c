import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { type Connection, createConnection } from "mariadb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SecretValue } from "../../../src/secret-value.ts";
import { createCertificates } from "../../local-azure/tls.ts";
import { type MariaDbWithProvider, startMariaDbWithProvider } from "../../support/mariadb-provider.ts";
import { listen, relay } from "../../support/sockets.ts";

let world: MariaDbWithProvider;

const never = new AbortController().signal;
const password = new SecretValue("a-guarded-password");

beforeAll(async () => {
  world = await startMariaDbWithProvider();
  await world.server.createUser("guarded", password.reveal());
});

afterAll(() => world[Symbol.asyncDispose]());

test("a statement that waits for a lock is given up and can be tried again", async () => {
  const lock = await lockAccounts();
  const act = world
    .mariadb({ statementTimeout: 200 })
    .setPassword(world.address, world.admin, "guarded", password, never);
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
  await lock.end();
});

test("a server that stops answering in the middle is given up", async () => {
  const lock = await lockAccounts();
  let isFrozen = false;
  await using proxy = await listen((socket) => relay(socket, world.server.port, () => isFrozen));
  const act = world
    .mariadb({ connectTimeout: 500, statementTimeout: 1_000 })
    .lock({ ...world.address, port: proxy.port }, world.admin, "guarded", { endSessions: false }, never);
  act.catch(() => {});
  await expect.poll(() => waiting(), { timeout: 60_000 }).toBe(1);
  isFrozen = true;
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
  await lock.end();
  await world.server.setPassword("guarded", password.reveal());
});

test("abort closes the connection in the middle of a statement", async () => {
  const lock = await lockAccounts();
  const controller = new AbortController();
  const act = world.mariadb().setPassword(world.address, world.admin, "guarded", password, controller.signal);
  act.catch(() => {});
  await expect.poll(() => waiting(), { timeout: 60_000 }).toBe(1);
  controller.abort();
  await expect(act).rejects.toMatchObject({ code: "cancelled" });
  await lock.end();
});

test("a server with a certificate of somebody else's authority gets no password", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  const other = await createCertificates(folder);
  await rm(folder, { recursive: true });
  const before = (await world.server.generalLog()).length;
  const act = world.mariadb({ ca: other.ca.pem }).accepts(world.address, "guarded", password, never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("nothing was sent"),
  });
  expect((await world.server.generalLog()).slice(before)).not.toContain("guarded");
});

test("without an authority of its own it trusts what this process trusts", async () => {
  const trusting = world.mariadb({ ca: undefined });
  await expect(trusting.accepts(world.address, "guarded", password, never)).rejects.toMatchObject({
    code: "unexpected-response",
  });
  const usual = getCACertificates("default");
  setDefaultCACertificates([...usual, world.tls.ca.pem]);
  expect(await trusting.accepts(world.address, "guarded", password, never)).toBe(true);
  setDefaultCACertificates(usual);
});

test("a certificate for another name is refused", async () => {
  // 127.0.0.2 is the same server under a name that the certificate lacks.
  await using proxy = await listen((socket) => relay(socket, world.server.port), "127.0.0.2");
  const elsewhere = { ...world.address, host: "127.0.0.2", port: proxy.port };
  await expect(world.mariadb().accounts(elsewhere, world.admin, ["any"], never)).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("ALTNAME"),
  });
});

test("a server that is not there, or says nothing, is unavailable", async () => {
  const gone = await listen(() => {});
  await gone[Symbol.asyncDispose]();
  const absent = { ...world.address, port: gone.port };
  await expect(world.mariadb().accounts(absent, world.admin, ["any"], never)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
  await using silent = await listen(() => {});
  const act = world
    .mariadb({ connectTimeout: 200, statementTimeout: 100_000 })
    .accounts({ ...world.address, port: silent.port }, world.admin, ["any"], never);
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
});

test("abort while connecting closes the connection", async () => {
  const controller = new AbortController();
  const closed = Promise.withResolvers<void>();
  await using silent = await listen((socket) => {
    socket.once("close", () => closed.resolve());
    controller.abort();
  });
  const act = world
    .mariadb()
    .accounts({ ...world.address, port: silent.port }, world.admin, ["any"], controller.signal);
  await expect(act).rejects.toMatchObject({ code: "cancelled" });
  await closed.promise;
});

/** No statement that changes accounts gets through until this session ends. */
async function lockAccounts(): Promise<Connection> {
  const socketPath = await world.server.sql("SELECT @@socket AS path");
  const session = await createConnection({ socketPath: String(socketPath[0]?.["path"]), user: "root" });
  await session.query("FLUSH TABLES WITH READ LOCK");
  return session;
}

async function waiting(): Promise<number> {
  const [row] = await world.server.sql(
    "SELECT COUNT(*) AS count FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for%lock' AND USER = ?",
    [world.admin],
  );
  return Number(row?.["count"]);
}
