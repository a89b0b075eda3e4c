import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { startPostgres } from "../support/postgres.ts";
import { startPostgresLogin } from "./postgres-login.ts";
import { addIdentity } from "./resources.ts";
import { createState } from "./state.ts";
import { createCertificates } from "./tls.ts";
import { createTokenAuthority } from "./tokens.ts";

const audience = "https://ossrdbms-aad.database.windows.net";

test("a real PostgreSQL takes a token as the password of its principal, and no other", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "keyturn-login-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const tls = await createCertificates(folder);
  const state = createState(systemClock);
  const tokens = await createTokenAuthority(state);
  const login = await startPostgresLogin(state, tokens);
  stack.defer(() => login.close());
  const server = stack.use(await startPostgres({ tls, ldapPort: login.port }));
  await server.createAdmin("keyturn");
  const identity = addIdentity(state, "worker");
  state.postgresRoles.set("keyturn", identity.principalId);

  const logIn = async (password: string) => {
    const { host, port } = server;
    const client = new Client({
      host,
      port,
      user: "keyturn",
      password,
      database: "postgres",
      ssl: { ca: tls.ca.pem },
    });
    await client.connect();
    const { rows } = await client.query<{ name: string }>("SELECT current_user AS name");
    await client.end();
    return rows[0]?.name;
  };
  const token = async (resource: string) => (await tokens.issue(identity, resource)).token;
  expect(await logIn(await token(audience))).toBe("keyturn");
  await expect(logIn(await token("https://vault.azure.net"))).rejects.toThrow(/authentication failed/);
  await expect(logIn("a-password")).rejects.toThrow(/authentication failed/);
  expect(state.calls.map(({ status }) => status)).toEqual([0, 49, 49]);
});
