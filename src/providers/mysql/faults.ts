import { SqlError } from "mariadb";
import { Fault, type FaultCode } from "../../errors.ts";
import { connectionFault, offersNoTls } from "../connection-fault.ts";
import type { DatabaseAddress } from "../sql/address.ts";
import { type Attempt, placeOf, type Problem, serverFault, type SqlServer } from "../sql/faults.ts";

const mariaDbServer: SqlServer = {
  name: "MariaDB",
  admission: "the hosts of the accounts",
  createIdentity: (user) =>
    "as Microsoft Entra administrator: " +
    `CREATE AADUSER ${quoted(user)} IDENTIFIED BY '<client id of the identity>';`,
};

/**
 * Error numbers and what they mean for us (MariaDB's and MySQL's error references; they share those below 1900). The
 * server's own message is dropped: it can quote the statement, and the connector adds the statement itself.
 */
const codes: Readonly<Record<number, FaultCode>> = {
  1045: "unauthenticated", // ER_ACCESS_DENIED_ERROR
  1698: "unauthenticated", // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1820: "unauthenticated", // ER_MUST_CHANGE_PASSWORD
  1862: "unauthenticated", // ER_MUST_CHANGE_PASSWORD_LOGIN
  3118: "unauthenticated", // ER_ACCOUNT_HAS_BEEN_LOCKED, MySQL
  4151: "unauthenticated", // ER_ACCOUNT_HAS_BEEN_LOCKED, MariaDB
  1130: "unauthenticated", // ER_HOST_NOT_PRIVILEGED
  9000: "unauthenticated", // the firewall of Azure Database for MySQL
  1049: "target-missing", // ER_BAD_DB_ERROR
  1396: "target-missing", // ER_CANNOT_USER
  1044: "forbidden", // ER_DBACCESS_DENIED_ERROR
  1142: "forbidden", // ER_TABLEACCESS_DENIED_ERROR
  1143: "forbidden", // ER_COLUMNACCESS_DENIED_ERROR
  1095: "forbidden", // ER_KILL_DENIED_ERROR
  1227: "forbidden", // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1251: "not-supported", // ER_NOT_SUPPORTED_AUTH_MODE
  1524: "not-supported", // ER_PLUGIN_IS_NOT_LOADED
  1040: "unavailable", // ER_CON_COUNT_ERROR
  1053: "unavailable", // ER_SERVER_SHUTDOWN
  1129: "unavailable", // ER_HOST_IS_BLOCKED
  1203: "unavailable", // ER_TOO_MANY_USER_CONNECTIONS
  1205: "unavailable", // ER_LOCK_WAIT_TIMEOUT
  1213: "unavailable", // ER_LOCK_DEADLOCK
  1226: "unavailable", // ER_USER_LIMIT_REACHED
  // A replica after a fail-over takes no changes; the name will point to the new primary.
  1290: "unavailable", // ER_OPTION_PREVENTS_STATEMENT
  1836: "unavailable", // ER_READ_ONLY_MODE
};

/** The session was ended between the list of sessions and our turn to end it. ER_NO_SUCH_THREAD */
export function isGoneSession(error: unknown): boolean {
  return error instanceof SqlError && error.errno === 1094;
}

/** ER_KILL_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR */
export function isKillDenied(error: unknown): boolean {
  return error instanceof SqlError && (error.errno === 1095 || error.errno === 1227);
}

/** Whether the server turned this user away: wrong password or token, no such account, a locked or expired one. */
export function isRejection(error: unknown): boolean {
  return error instanceof SqlError && codes[error.errno] === "unauthenticated" && !isShutOut(error);
}

/** Nobody may log in from here, which says nothing about the password. */
function isShutOut({ errno }: SqlError): boolean {
  return errno === 1130 || errno === 9000;
}

/** Any error of the connector as a fault, without its text. */
export function mariaDbFault(error: unknown, attempt: Attempt): Fault {
  if (error instanceof Fault) return error;
  const at = placeOf(mariaDbServer, attempt.address);
  if (!(error instanceof SqlError)) return connectionFault(error, at);
  if (error.code === "ER_SERVER_SSL_DISABLED") return offersNoTls(at);
  // From 45000 on the connector speaks, not the server: lost connections, time.
  if (error.errno > 45_000 && error.errno < 46_000) return connectionFault(error, at);
  if (error.errno === 1396 && attempt.principal) return missingAccount(attempt.address, attempt.principal);
  const code = codes[error.errno] ?? "unexpected-response";
  return serverFault(mariaDbServer, attempt, {
    code,
    problem: problemOf(error, code),
    detail: `error ${error.errno}`,
  });
}

export function missingAccount(address: DatabaseAddress, account: string): Fault {
  return new Fault(
    "target-missing",
    `${placeOf(mariaDbServer, address)} has no account ${quoted(account)}. Create it: CREATE USER ${quoted(account)}@'%'; with the ` +
      "rights that its dependents need",
  );
}

/** One name with several hosts is several accounts, each with a password of its own. */
export function severalAccounts(address: DatabaseAddress, account: string): Fault {
  return new Fault(
    "slot-unknown",
    `${placeOf(mariaDbServer, address)} has several accounts named ${quoted(account)}, which differ in their host; keyturn cannot tell ` +
      "which one the dependents use. Keep one of them, or give them names of their own",
  );
}

export function connectRight({ database }: DatabaseAddress, user: string): string {
  return `GRANT USAGE ON *.* TO ${quoted(user)}; and a right in the database "${database}"`;
}

export function alterRight(admin: string, endSessions = false): string {
  const kill = endSessions
    ? `, and to end sessions GRANT PROCESS, CONNECTION_ADMIN ON *.* TO ${quoted(admin)}; (MariaDB: CONNECTION ADMIN)`
    : "";
  return (
    `GRANT CREATE USER ON *.* TO ${quoted(admin)}; GRANT SELECT (User, Host) ON mysql.user TO ${quoted(admin)};` +
    kill
  );
}

function problemOf(error: SqlError, code: FaultCode): Problem {
  if (error.errno === 1049) return "no-database";
  return isShutOut(error) ? "shut-out" : code;
}

function quoted(name: string): string {
  return `'${name.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
