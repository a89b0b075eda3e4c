import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { DatabaseAddress } from "../../src/providers/sql/address.ts";
import { createPostgres, type Postgres, type PostgresSettings } from "../../src/providers/postgres/client.ts";
import { type Certificates, createCertificates } from "../local-azure/tls.ts";
import { type PostgresOptions, type PostgresServer, startPostgres } from "./postgres.ts";

export interface PostgresWithProvider extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly tls: Certificates;
  readonly address: DatabaseAddress;
  /** Name of the administrator; its password stands in for an access token. */
  readonly admin: string;
  readonly adminPassword: string;
  /** The provider under test, trusting the server's certificate. */
  postgres(settings?: Partial<PostgresSettings>): Postgres;
  /** A session of a dependent, so to speak. It may be ended by the server. */
  openSession(user: string, password: string): Promise<Client>;
}

/** A server that logs every statement, the worst that an operator can set, and the provider that talks to it. */
export async function startPostgresWithProvider(
  options: Omit<PostgresOptions, "tls" | "logStatement"> = {},
): Promise<PostgresWithProvider> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  const tls = await createCertificates(folder);
  await rm(folder, { recursive: true });
  const server = await startPostgres({ ...options, tls, logStatement: "all" });
  const admin = "keyturn";
  const adminPassword = "stands-in-for-an-access-token";
  await server.createAdmin(admin, adminPassword);
  const address = { host: "localhost", port: server.port, database: "postgres" };
  return {
    server,
    tls,
    admin,
    adminPassword,
    address,
    postgres: (settings = {}) =>
      createPostgres({ token: async () => adminPassword, ca: tls.ca.pem, ...settings }),
    async openSession(user, password) {
      const client = new Client({ ...address, user, password, ssl: { ca: tls.ca.pem } });
      client.on("error", () => {});
      await client.connect();
      return client;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
