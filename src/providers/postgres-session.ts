import { Socket } from "node:net";
import { Client } from "pg";
import type { Millis } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { PostgresAddress } from "./postgres-address.ts";

export interface SessionOptions {
  /** Until the log-in is through. */
  readonly connectTimeout: Millis;
  /** For each statement, on the server. */
  readonly statementTimeout: Millis;
  /** PEM of the authority to trust instead of Node's own. */
  readonly ca: string | undefined;
}

export interface LogIn {
  readonly address: PostgresAddress;
  readonly user: string;
  readonly password: string;
}

/**
 * One connection over verified TLS for the time of `work`. When `signal` aborts or time is up its socket is closed,
 * whatever it is doing. @throws Fault `cancelled`, or what `pg` throws
 */
export async function withSession<T>(
  { address, user, password }: LogIn,
  { connectTimeout, statementTimeout, ca }: SessionOptions,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const socket = new Socket();
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
  // Covers what the other two do not: a server that stops answering in the middle.
  const ending = AbortSignal.any([signal, AbortSignal.timeout(connectTimeout + 2 * statementTimeout)]);
  const close = () => socket.destroy();
  ending.addEventListener("abort", close, { once: true });
  try {
    if (signal.aborted) throw cancelled(address);
    await client.connect();
    return await work(client);
  } catch (error) {
    throw signal.aborted ? cancelled(address) : error;
  } finally {
    await client.end();
    ending.removeEventListener("abort", close);
  }
}

function cancelled({ host, port }: PostgresAddress): Fault {
  return new Fault("cancelled", `the work at PostgreSQL ${host}:${port} was cancelled`);
}
