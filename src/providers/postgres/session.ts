import { Client } from "pg";
import { type LogIn, type SessionOptions, withSocket } from "../sql/socket.ts";

/**
 * One connection over verified TLS for the time of `work`. When `signal` aborts or time is up its socket is closed,
 * whatever it is doing. @throws Fault `cancelled`, or what `pg` throws
 */
export async function withSession<T>(
  { address, user, password }: LogIn,
  options: SessionOptions,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { connectTimeout, statementTimeout, ca } = options;
  return withSocket(address, options, signal, async (socket) => {
    const client = new Client({
      host: address.host,
      port: address.port,
      database: address.database,
      user,
      password,
      application_name: "keyturn",
      // Spelled out: `pg` would otherwise take its view of TLS from the environment.
      ssl: { rejectUnauthorized: true, minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) },
      stream: () => socket,
      connectionTimeoutMillis: connectTimeout,
      statement_timeout: statementTimeout,
    });
    // A connection that breaks between statements says so here; the statement or the end that follows reports it.
    client.on("error", () => {});
    try {
      await client.connect();
      return await work(client);
    } finally {
      await client.end();
    }
  });
}
