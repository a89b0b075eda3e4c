import { afterAll, beforeAll, expect, test } from "vitest";
import { SecretValue } from "../../../src/secret-value.ts";
import { type MariaDbWithProvider, startMariaDbWithProvider } from "../../support/mariadb-provider.ts";

let world: MariaDbWithProvider;

const never = new AbortController().signal;

beforeAll(async () => {
  world = await startMariaDbWithProvider();
});

afterAll(() => world[Symbol.asyncDispose]());

function accepts(user: string, password: string): Promise<boolean> {
  return world.mariadb().accepts(world.address, user, new SecretValue(password), never);
}

function setPassword(user: string, admin = world.admin): Promise<void> {
  return world.mariadb().setPassword(world.address, admin, user, new SecretValue("some-password"), never);
}

test("an account is accepted with its password, and refused with another, an empty one, or if it does not exist", async () => {
  await world.server.createUser("accepts_a", "the-right-password");
  expect(await accepts("accepts_a", "the-right-password")).toBe(true);
  expect(await accepts("accepts_a", "the-wrong-password")).toBe(false);
  expect(await accepts("accepts_a", "")).toBe(false);
  expect(await accepts("nobody_here", "the-right-password")).toBe(false);
});

test("an account without a password is not accepted with an empty one", async () => {
  await world.server.sql("CREATE USER open_door@'%'");
  expect(await accepts("open_door", "")).toBe(false);
});

test("an expired password is refused: no dependent can work with it", async () => {
  await world.server.createUser("expired", "the-right-password");
  await world.server.sql("ALTER USER expired@'%' PASSWORD EXPIRE");
  expect(await accepts("expired", "the-right-password")).toBe(false);
});

test("setting a password lets the account log in with it, also after it was locked", async () => {
  const odd = "Odd 'account'\\";
  await world.server.createUser(odd, "before");
  const password = new SecretValue("it's-a-\\new-$password$");
  const provider = world.mariadb();
  await provider.setPassword(world.address, world.admin, odd, password, never);
  expect(await provider.accepts(world.address, odd, password, never)).toBe(true);
  await provider.lock(world.address, world.admin, odd, { endSessions: false }, never);
  expect(await provider.accepts(world.address, odd, password, never)).toBe(false);
  await provider.setPassword(world.address, world.admin, odd, password, never);
  expect(await provider.accepts(world.address, odd, password, never)).toBe(true);
});

test("an account keeps its host, whatever that is", async () => {
  await world.server.sql("CREATE USER near@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING 'invalid'");
  await world.server.sql("GRANT SELECT ON orders.* TO near@'127.0.0.1'");
  await setPassword("near");
  expect(await accepts("near", "some-password")).toBe(true);
});

test("a name that several accounts share is nobody's: keyturn asks", async () => {
  await world.server.sql("CREATE USER twin@'%', twin@'10.0.0.1'");
  await expect(setPassword("twin")).rejects.toMatchObject({
    code: "slot-unknown",
    message: expect.stringContaining("several accounts named 'twin'"),
  });
});

test("accounts are listed, missing ones and roles are left out", async () => {
  await world.server.createUser("listed_a", "any-password");
  await world.server.sql("CREATE ROLE listed_role");
  const names = ["listed_a", "listed_role", "missing"];
  const found = await world.mariadb().accounts(world.address, world.admin, names, never);
  expect([...found]).toEqual(["listed_a"]);
});

test("an administrator without the right is told the GRANT to run", async () => {
  await world.server.createUser("powerless", world.adminPassword);
  await world.server.createUser("wanted");
  await expect(setPassword("wanted", "powerless")).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining("GRANT CREATE USER ON *.* TO 'powerless';"),
  });
});

test("a user who may not use the database was accepted, which is no refusal of the password", async () => {
  await world.server.sql("CREATE USER outside@'%'");
  await world.server.setPassword("outside", "any-password");
  await expect(accepts("outside", "any-password")).rejects.toMatchObject({ code: "forbidden" });
  const gone = { ...world.address, database: "gone" };
  await world.server.createUser("inside", "any-password");
  const act = world.mariadb().accepts(gone, "inside", new SecretValue("any-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "target-missing",
    message: expect.stringContaining('no database "gone"'),
  });
});

test("an administrator whose token is refused gets help", async () => {
  const stranger = world.mariadb({ token: async () => "not-the-token" });
  await expect(stranger.accounts(world.address, world.admin, ["any"], never)).rejects.toMatchObject({
    code: "unauthenticated",
    message: expect.stringContaining("CREATE AADUSER 'keyturn'"),
  });
});

test("an account that has no connection left is busy, not refused", async () => {
  await world.server.createUser("crowded", "any-password");
  await world.server.sql("ALTER USER crowded@'%' WITH MAX_USER_CONNECTIONS 1");
  const session = await world.openSession("crowded", "any-password");
  await expect(accepts("crowded", "any-password")).rejects.toMatchObject({ code: "unavailable" });
  await session.end();
});

test("an account of a plugin that takes no password is refused", async () => {
  await world.server.sql("CREATE USER socket_only@'%' IDENTIFIED VIA unix_socket");
  expect(await accepts("socket_only", "any-password")).toBe(false);
});
