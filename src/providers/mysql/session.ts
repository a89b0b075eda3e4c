import { getCACertificates } from "node:tls";
import { type Connection, createConnection } from "mariadb";
import { type LogIn, type SessionOptions, withSocket } from "../sql/socket.ts";

/** Without a database the session needs no right in any. */
interface MariaDbLogIn extends LogIn {
  readonly database?: string;
}

/**
 * One connection over verified TLS for the time of `work`. When `signal` aborts or time is up its socket is closed,
 * whatever it is doing. @throws Fault `cancelled`, or what the connector throws
 */
export async function withSession<T>(
  { address, user, password, database }: MariaDbLogIn,
  options: SessionOptions,
  signal: AbortSignal,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { host, port } = address;
  return withSocket(address, options, signal, async (socket) => {
    // Not yet in the connector's types: by default it follows a server that points elsewhere, with the same password.
    const stayHere = { permitRedirect: false };
    const connection = await createConnection({
      ...stayHere,
      host,
      port,
      ...(database === undefined ? {} : { database }),
      user,
      password,
      ssl: verifiedTls(host, options.ca),
      stream: () => socket.connect(port, host),
      connectTimeout: options.connectTimeout,
      socketTimeout: options.statementTimeout,
      permitLocalInfile: false,
    });
    // A connection that breaks between statements says so here; the statement or the end that follows reports it.
    connection.on("error", () => {});
    try {
      return await work(connection);
    } finally {
      await connection.end();
    }
  });
}

function verifiedTls(host: string, ca: string | undefined) {
  return {
    rejectUnauthorized: true,
    minVersion: "TLSv1.2" as const,
    // Always given: without it the connector turns the verification off for MariaDB 11.4 and newer, and trusts a
    // certificate of anybody's to which the server proves that it knows the password.
    ca: ca ?? getCACertificates("default"),
    // The name that the certificate must show; over a socket of ours it would be `localhost`.
    host,
    ...(/^[\d.]+$/.test(host) ? {} : { servername: host }),
  };
}
