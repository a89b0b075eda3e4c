import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SecretValue } from "../../../src/secret-value.ts";
import { createCertificates } from "../../local-azure/tls.ts";
import { type PostgresWithProvider, startPostgresWithProvider } from "../../support/postgres-provider.ts";
import { listen, relay } from "../../support/sockets.ts";

let world: PostgresWithProvider;

const never = new AbortController().signal;

beforeAll(async () => {
  world = await startPostgresWithProvider();
});

afterAll(() => world[Symbol.asyncDispose]());

test("a statement that waits for a lock is given up and can be tried again", async () => {
  await world.server.createRole("locked");
  const lock = await lockRole("locked");
  const hasty = world.postgres({ statementTimeout: 200 });
  const act = hasty.setPassword(
    world.address,
    world.admin,
    "locked",
    new SecretValue("some-password"),
    never,
  );
  await expect(act).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("57014"),
  });
  await lock.end();
});

test("a server that stops answering in the middle is given up", async () => {
  await world.server.createRole("frozen");
  const lock = await lockRole("frozen");
  let isFrozen = false;
  await using proxy = await listen((socket) => relay(socket, world.server.port, () => isFrozen));
  const hasty = world.postgres({ connectTimeout: 500, statementTimeout: 1_000 });
  const act = hasty.disableRole(
    { ...world.address, port: proxy.port },
    world.admin,
    "frozen",
    { endSessions: false },
    never,
  );
  act.catch(() => {});
  await expect.poll(() => waiting(), { timeout: 60_000 }).toBe(1);
  isFrozen = true;
  await expect(act).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("in time"),
  });
  await lock.end();
});

test("abort closes the connection in the middle of a statement", async () => {
  await world.server.createRole("aborted");
  const lock = await lockRole("aborted");
  const controller = new AbortController();
  const act = world
    .postgres()
    .setPassword(world.address, world.admin, "aborted", new SecretValue("some-password"), controller.signal);
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
  await world.server.createRole("guarded", "a-guarded-password");
  const before = (await world.server.log()).length;
  const act = world
    .postgres({ ca: other.ca.pem })
    .accepts(world.address, "guarded", new SecretValue("a-guarded-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("nothing was sent"),
  });
  expect((await world.server.log()).slice(before)).not.toContain("guarded");
});

test("a certificate for another name is refused", async () => {
  // 127.0.0.2 is the same server under a name that the certificate lacks.
  await using proxy = await listen((socket) => relay(socket, world.server.port), "127.0.0.2");
  const elsewhere = { ...world.address, host: "127.0.0.2", port: proxy.port };
  const act = world.postgres().roles(elsewhere, world.admin, [], never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("ALTNAME"),
  });
});

test("a server without TLS gets nothing but the question for it", async () => {
  const received: Buffer[] = [];
  await using plain = await listen((socket) =>
    socket.on("data", (data: Buffer) => {
      received.push(data);
      socket.write("N");
    }),
  );
  const act = world
    .postgres()
    .accepts({ ...world.address, port: plain.port }, "app", new SecretValue("a-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "unexpected-response",
    message: expect.stringContaining("no TLS"),
  });
  expect(Buffer.concat(received).toString("hex")).toBe("0000000804d2162f");
});

test("a server that does not answer is unavailable", async () => {
  await using silent = await listen(() => {});
  const act = world
    .postgres({ connectTimeout: 200, statementTimeout: 100_000 })
    .roles({ ...world.address, port: silent.port }, world.admin, [], never);
  await expect(act).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("in time"),
  });
});

test("a server that is not there is unavailable", async () => {
  const gone = await listen(() => {});
  await gone[Symbol.asyncDispose]();
  const act = world.postgres().roles({ ...world.address, port: gone.port }, world.admin, [], never);
  await expect(act).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("abort while connecting closes the connection", async () => {
  const controller = new AbortController();
  const closed = Promise.withResolvers<void>();
  await using silent = await listen((socket) => {
    socket.once("close", () => closed.resolve());
    controller.abort();
  });
  const act = world
    .postgres()
    .roles({ ...world.address, port: silent.port }, world.admin, [], controller.signal);
  await expect(act).rejects.toMatchObject({ code: "cancelled" });
  await closed.promise;
});

/** Holds the role's catalogue row, as a transaction that altered it and has not ended. */
async function lockRole(role: string): Promise<Client> {
  const client = await world.openSession(world.admin, world.adminPassword);
  await client.query("BEGIN");
  await client.query(`ALTER ROLE ${role} NOLOGIN`);
  return client;
}

async function waiting(): Promise<unknown> {
  const [row] = await world.server.sql(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'keyturn'",
  );
  return row?.["count"];
}
