import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { startPostgresLogin } from "../../local-azure/postgres-login.ts";
import { addIdentity } from "../../local-azure/resources.ts";
import { createState } from "../../local-azure/state.ts";
import { createTokenAuthority } from "../../local-azure/tokens.ts";
import { type PostgresWithProvider, startPostgresWithProvider } from "../../support/postgres-provider.ts";

let world: PostgresWithProvider;

const never = new AbortController().signal;

beforeAll(async () => {
  world = await startPostgresWithProvider();
});

afterAll(() => world[Symbol.asyncDispose]());

function accepts(user: string, password: string): Promise<boolean> {
  return world.postgres().accepts(world.address, user, new SecretValue(password), never);
}

test("a role is accepted with its password, and refused with another, an empty one, or if it does not exist", async () => {
  await world.server.createRole("accepts_a", "the-right-password");
  expect(await accepts("accepts_a", "the-right-password")).toBe(true);
  expect(await accepts("accepts_a", "the-wrong-password")).toBe(false);
  expect(await accepts("accepts_a", "")).toBe(false);
  expect(await accepts("nobody_here", "the-right-password")).toBe(false);
});

test("setting a password lets the role log in with it, also after it was disabled", async () => {
  await world.server.createRole('Odd "role"', "before");
  const password = new SecretValue("it's-a-\\new-$password$");
  await world.postgres().setPassword(world.address, world.admin, 'Odd "role"', password, never);
  expect(await world.postgres().accepts(world.address, 'Odd "role"', password, never)).toBe(true);
  await world.postgres().disableRole(world.address, world.admin, 'Odd "role"', { endSessions: false }, never);
  expect(await world.postgres().accepts(world.address, 'Odd "role"', password, never)).toBe(false);
  expect(
    await world.server.sql("SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'Odd \"role\"'"),
  ).toEqual([{ rolcanlogin: false, rolpassword: null }]);
  await world.postgres().setPassword(world.address, world.admin, 'Odd "role"', password, never);
  expect(await world.postgres().accepts(world.address, 'Odd "role"', password, never)).toBe(true);
});

test("roles are listed with whether they may log in, missing ones are left out", async () => {
  await world.server.createRole("listed_a", "any-password");
  await world.server.sql("CREATE ROLE listed_b NOLOGIN");
  const found = await world
    .postgres()
    .roles(world.address, world.admin, ["listed_a", "listed_b", "missing"], never);
  expect(Object.fromEntries(found)).toEqual({ listed_a: { login: true }, listed_b: { login: false } });
});

test("disabling a role ends its sessions if asked, and nobody else's", async () => {
  await world.server.createRole("ended_a", "password-a");
  await world.server.createRole("ended_b", "password-b");
  const [ended, other] = [
    await world.openSession("ended_a", "password-a"),
    await world.openSession("ended_b", "password-b"),
  ];
  await world.postgres().disableRole(world.address, world.admin, "ended_a", { endSessions: false }, never);
  expect((await ended.query("SELECT 1")).rowCount).toBe(1);
  const gone = new Promise((resolve) => {
    ended.once("end", resolve);
  });
  await world.postgres().disableRole(world.address, world.admin, "ended_a", { endSessions: true }, never);
  await gone;
  expect((await other.query("SELECT 1")).rowCount).toBe(1);
  await other.end();
});

test("a role that does not exist is named with the SQL that creates it", async () => {
  const act = world
    .postgres()
    .setPassword(world.address, world.admin, "absent", new SecretValue("some-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "target-missing",
    message: expect.stringContaining('CREATE ROLE "absent" LOGIN'),
  });
});

test("an administrator without the right is told the GRANT to run", async () => {
  await world.server.createRole("powerless", world.adminPassword);
  await world.server.createRole("wanted");
  const act = world
    .postgres()
    .setPassword(world.address, "powerless", "wanted", new SecretValue("some-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining('GRANT "wanted" TO "powerless" WITH ADMIN OPTION;'),
  });
});

test("a user who may not connect to the database was accepted, which is no refusal of the password", async () => {
  await world.server.createDatabase("closed");
  await world.server.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
  await world.server.createRole("outside", "any-password");
  const closed = { ...world.address, database: "closed" };
  const act = world.postgres().accepts(closed, "outside", new SecretValue("any-password"), never);
  await expect(act).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining('GRANT CONNECT ON DATABASE "closed" TO "outside";'),
  });
  const gone = { ...world.address, database: "gone" };
  await expect(world.postgres().roles(gone, world.admin, [], never)).rejects.toMatchObject({
    code: "target-missing",
  });
});

test("an administrator whose token is refused gets help", async () => {
  const stranger = world.postgres({ token: async () => "not-the-token" });
  await expect(stranger.roles(world.address, world.admin, ["any"], never)).rejects.toMatchObject({
    code: "unauthenticated",
    message: expect.stringContaining("pgaadauth_create_principal('keyturn', false, false)"),
  });
});

test("a role that has no connection left is busy, not refused", async () => {
  await world.server.createRole("crowded", "any-password");
  await world.server.sql("ALTER ROLE crowded CONNECTION LIMIT 0");
  const act = world.postgres().accepts(world.address, "crowded", new SecretValue("any-password"), never);
  await expect(act).rejects.toMatchObject({ code: "unavailable" });
});

test("an access token is the administrator's password: ours for databases works, one for a vault does not", async () => {
  const state = createState(systemClock);
  const tokens = await createTokenAuthority(state);
  const login = await startPostgresLogin(state, tokens);
  await using entra = await startPostgresWithProvider({ ldapPort: login.port });
  const identity = addIdentity(state, "worker");
  state.postgresRoles.set(entra.admin, identity.principalId);
  await entra.server.createRole("orders", "before");

  const password = new SecretValue("a-password-set-with-a-token");
  const issue = async (audience: string) => (await tokens.issue(identity, audience)).token;
  const rightful = await issue("https://ossrdbms-aad.database.windows.net");
  const provider = entra.postgres({ token: async () => rightful });
  await provider.setPassword(entra.address, entra.admin, "orders", password, never);
  expect(await provider.accepts(entra.address, "orders", password, never)).toBe(true);

  const misused = entra.postgres({ token: () => issue("https://vault.azure.net") });
  await expect(misused.roles(entra.address, entra.admin, [], never)).rejects.toMatchObject({
    code: "unauthenticated",
    message: expect.stringContaining("managed identity was rejected"),
  });
  expect(await entra.server.log()).not.toContain(rightful.slice(-40));
  await login.close();
});
