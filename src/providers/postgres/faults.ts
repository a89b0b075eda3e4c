import { DatabaseError, escapeIdentifier, escapeLiteral } from "pg";
import { Fault, type FaultCode } from "../../errors.ts";
import { connectionFault, offersNoTls } from "../connection-fault.ts";
import type { DatabaseAddress } from "../sql/address.ts";

/** What was being done, for the message. */
export interface Attempt {
  readonly address: DatabaseAddress;
  /** Who logged in. */
  readonly user: string;
  /** The role that was to be changed, if any. */
  readonly role?: string;
  /** The right that it takes, as SQL or a sentence. */
  readonly needs: string;
}

/**
 * SQLSTATEs and what they mean for us (PostgreSQL manual, appendix A); a class of two characters stands for all of its
 * codes. The server's own message is dropped: it can quote the statement.
 */
const codes: Readonly<Record<string, FaultCode>> = {
  "28P01": "unauthenticated",
  "28000": "unauthenticated",
  "42704": "target-missing",
  "3D000": "target-missing",
  "42501": "forbidden",
  // A standby after a fail-over takes no changes; the name will point to the new primary.
  "25006": "unavailable",
  // Two ALTER ROLE at once: "tuple concurrently updated".
  XX000: "unavailable",
  "08": "unavailable",
  "40": "unavailable",
  "53": "unavailable",
  "55": "unavailable",
  "57": "unavailable",
};

/**
 * Whether the server turned this user away: wrong password or token, no such role, or one that may not log in. The same
 * SQLSTATE 28000 says that pg_hba.conf or the firewall lets nobody in from here, which says nothing about the password;
 * only the name of the server's function tells them apart in every language.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return error.code === "28P01" || (error.code === "28000" && error.routine !== "ClientAuthentication");
}

/** Any error of `pg` as a fault, without its text. */
export function postgresFault(error: unknown, attempt: Attempt): Fault {
  if (error instanceof Fault) return error;
  const at = place(attempt.address);
  if (!(error instanceof DatabaseError)) {
    // The one text of `pg` itself that we look at: it has no code.
    const isPlain = error instanceof Error && error.message.includes("does not support SSL");
    return isPlain ? offersNoTls(at) : connectionFault(error, at);
  }
  const sqlState = error.code ?? "";
  if (sqlState === "42704" && attempt.role) return missingRole(attempt.address, attempt.user, attempt.role);
  const code = codes[sqlState] ?? codes[sqlState.slice(0, 2)] ?? "unexpected-response";
  return new Fault(code, `${at}: ${explain(error, code, attempt)} (SQLSTATE ${sqlState})`);
}

export function missingRole(address: DatabaseAddress, admin: string, role: string): Fault {
  const [name, grantee] = [escapeIdentifier(role), escapeIdentifier(admin)];
  return new Fault(
    "target-missing",
    `${place(address)} has no role ${name}. Create it: CREATE ROLE ${name} LOGIN; with the rights that its ` +
      `dependents need, and from PostgreSQL 16 on GRANT ${name} TO ${grantee} WITH ADMIN OPTION;`,
  );
}

export function connectRight({ database }: DatabaseAddress, user: string): string {
  return `GRANT CONNECT ON DATABASE ${escapeIdentifier(database)} TO ${escapeIdentifier(user)};`;
}

export function alterRight(admin: string, role: string, endSessions = false): string {
  const name = escapeIdentifier(admin);
  const terminate = endSessions ? ` GRANT pg_signal_backend TO ${name};` : "";
  return (
    `GRANT ${escapeIdentifier(role)} TO ${name} WITH ADMIN OPTION; ` +
    `ALTER ROLE ${name} CREATEROLE;${terminate}`
  );
}

function explain(error: DatabaseError, code: FaultCode, { address, user, needs }: Attempt): string {
  if (error.code === "3D000")
    return `there is no database "${address.database}"; correct the policy or create it`;
  if (code === "unauthenticated" && isRefusal(error)) return identityRefused(user);
  if (code === "unauthenticated") return "nobody may log in from here; check the firewall and pg_hba.conf";
  if (code === "forbidden") return `"${user}" is not allowed to do this. It needs: ${needs}`;
  if (code === "unavailable") return "the server is busy, starting or read-only; it will be tried again";
  return "the server gave an answer that keyturn does not know";
}

function identityRefused(user: string): string {
  return (
    `the log-in of "${user}" with keyturn's managed identity was refused. Create it, as Microsoft Entra administrator ` +
    `in the database postgres: SELECT * FROM pgaadauth_create_principal(${escapeLiteral(user)}, false, false);`
  );
}

function place({ host, port }: DatabaseAddress): string {
  return `PostgreSQL at ${host}:${port}`;
}
