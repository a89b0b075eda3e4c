import { DatabaseError, escapeIdentifier, escapeLiteral } from "pg";
import { Fault, type FaultCode } from "../../errors.ts";
import { connectionFault, offersNoTls } from "../connection-fault.ts";
import type { DatabaseAddress } from "../sql/address.ts";
import { type Attempt, placeOf, type Problem, serverFault, type SqlServer } from "../sql/faults.ts";

const postgresServer: SqlServer = {
  name: "PostgreSQL",
  admission: "pg_hba.conf",
  createIdentity: (user) =>
    "as Microsoft Entra administrator in the database postgres: " +
    `SELECT * FROM pgaadauth_create_principal(${escapeLiteral(user)}, false, false);`,
};

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
export function isRejection(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return false;
  return error.code === "28P01" || (error.code === "28000" && error.routine !== "ClientAuthentication");
}

/** Any error of `pg` as a fault, without its text. */
export function postgresFault(error: unknown, attempt: Attempt): Fault {
  if (error instanceof Fault) return error;
  const at = placeOf(postgresServer, attempt.address);
  if (!(error instanceof DatabaseError)) {
    // The one text of `pg` itself that we look at: it has no code.
    const isPlain = error instanceof Error && error.message.includes("does not support SSL");
    return isPlain ? offersNoTls(at) : connectionFault(error, at);
  }
  const sqlState = error.code ?? "";
  if (sqlState === "42704" && attempt.principal)
    return missingRole(attempt.address, attempt.user, attempt.principal);
  const code = codes[sqlState] ?? codes[sqlState.slice(0, 2)] ?? "unexpected-response";
  return serverFault(postgresServer, attempt, {
    code,
    problem: problemOf(error, code),
    detail: `SQLSTATE ${sqlState}`,
  });
}

function problemOf(error: DatabaseError, code: FaultCode): Problem {
  if (error.code === "3D000") return "no-database";
  return code === "unauthenticated" && !isRejection(error) ? "shut-out" : code;
}

export function missingRole(address: DatabaseAddress, admin: string, role: string): Fault {
  const [name, grantee] = [escapeIdentifier(role), escapeIdentifier(admin)];
  return new Fault(
    "target-missing",
    `${placeOf(postgresServer, address)} has no role ${name}. Create it: CREATE ROLE ${name} LOGIN; with the rights that its ` +
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
