import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, createConnection } from "mariadb";
import type { DatabaseAddress } from "../../src/providers/sql/address.ts";
import { createMariaDb, type MariaDb, type MariaDbSettings } from "../../src/providers/mysql/client.ts";
import { type Certificates, createCertificates } from "../local-azure/tls.ts";
import { type MariaDbServer, startMariaDb } from "./mariadb.ts";

export interface MariaDbWithProvider extends AsyncDisposable {
  readonly server: MariaDbServer;
  readonly tls: Certificates;
  readonly address: DatabaseAddress;
  /** Name of the administrator; its password stands in for an access token. */
  readonly admin: string;
  readonly adminPassword: string;
  /** The provider under test, trusting the server's certificate. */
  mariadb(settings?: Partial<MariaDbSettings>): MariaDb;
  /** A session of a dependent, so to speak. It may be ended by the server. */
  openSession(user: string, password: string): Promise<Connection>;
}

/** A server that logs every statement, the worst that an operator can set, and the provider that talks to it. */
export async function startMariaDbWithProvider(): Promise<MariaDbWithProvider> {
  const folder = await mkdtemp(join(tmpdir(), "keyturn-tls-"));
  const tls = await createCertificates(folder);
  await rm(folder, { recursive: true });
  const server = await startMariaDb({ tls });
  const admin = "keyturn";
  const adminPassword = "stands-in-for-an-access-token";
  await server.createAdmin(admin, adminPassword);
  await server.createDatabase("orders");
  const address = { host: "localhost", port: server.port, database: "orders" };
  return {
    server,
    tls,
    admin,
    adminPassword,
    address,
    mariadb: (settings = {}) =>
      createMariaDb({ token: async () => adminPassword, ca: tls.ca.pem, ...settings }),
    async openSession(user, password) {
      const connection = await createConnection({ ...address, user, password, ssl: { ca: tls.ca.pem } });
      connection.on("error", () => {});
      return connection;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
