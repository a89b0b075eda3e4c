import { Fault, type FaultCode } from "../../errors.ts";
import type { DatabaseAddress } from "./address.ts";

/** What was being done, for the message. */
export interface Attempt {
  readonly address: DatabaseAddress;
  /** Who logged in. */
  readonly user: string;
  /** The role or account that was to be changed, if any. */
  readonly principal?: string;
  /** The right that it takes, as SQL or a sentence. */
  readonly needs: string;
}

/** What the messages about one kind of server say differently. */
export interface SqlServer {
  readonly name: string;
  /** What decides who may log in from where. */
  readonly admission: string;
  /** How an administrator makes a principal that logs in with keyturn's managed identity. */
  createIdentity(user: string): string;
}

/** `no-database`: it is not there. `shut-out`: nobody may log in from here, whatever the password. */
export type Problem = "no-database" | "shut-out" | FaultCode;

/** A server's error as a fault: `detail` is its number, and its own text is dropped, since that can quote the statement. */
export function serverFault(
  server: SqlServer,
  attempt: Attempt,
  { code, problem = code, detail }: { code: FaultCode; problem?: Problem | undefined; detail: string },
): Fault {
  return new Fault(
    code,
    `${placeOf(server, attempt.address)}: ${explain(server, attempt, problem)} (${detail})`,
  );
}

export function placeOf({ name }: SqlServer, { host, port }: DatabaseAddress): string {
  return `${name} at ${host}:${port}`;
}

const sentences: { readonly [P in Problem]?: (attempt: Attempt, server: SqlServer) => string } = {
  "no-database": ({ address }) =>
    `there is no database "${address.database}"; correct the policy or create it`,
  "shut-out": (_attempt, { admission }) => `nobody may log in from here; check the firewall and ${admission}`,
  unauthenticated: ({ user }, server) =>
    `the log-in of "${user}" with keyturn's managed identity was rejected. Create it, ${server.createIdentity(user)}`,
  forbidden: ({ user, needs }) => `"${user}" is not allowed to do this. It needs: ${needs}`,
  "not-supported": () =>
    "the server has no password plugin that keyturn knows: it takes MariaDB, and MySQL 8 or newer",
  unavailable: () => "the server is busy, starting or read-only; keyturn retries",
};

function explain(server: SqlServer, attempt: Attempt, problem: Problem): string {
  return sentences[problem]?.(attempt, server) ?? "the server gave an answer that keyturn does not know";
}
