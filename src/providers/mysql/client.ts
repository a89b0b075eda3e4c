import { SpanKind } from "@opentelemetry/api";
import type { Connection } from "mariadb";
import { z } from "zod";
import type { SecretValue } from "../../secret-value.ts";
import { attribute } from "../../telemetry/names.ts";
import { inSpan } from "../../telemetry/span.ts";
import { alphabets, cryptoRandomInt, defaultLength, randomText } from "../password/generate.ts";
import type { DatabaseAddress } from "../sql/address.ts";
import type { Attempt } from "../sql/faults.ts";
import { defaultSessionOptions, type SessionOptions } from "../sql/socket.ts";
import {
  alterRight,
  connectRight,
  isGoneSession,
  isKillDenied,
  isRejection,
  mariaDbFault,
  missingAccount,
  severalAccounts,
} from "./faults.ts";
import { cachingSha2Hash, nativePasswordHash } from "./password-hash.ts";
import { withSession } from "./session.ts";

/**
 * MariaDB and MySQL servers, as rotators need them: one wire protocol, two dialects. An account is named without its
 * host: exactly one account may have the name. Every method throws a `Fault` that quotes no value.
 */
export interface MariaDb {
  /** Whether this account may log in with this password and run a query. Network trouble is a fault, not `false`. */
  accepts(
    address: DatabaseAddress,
    user: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Those of `names` that exist on the server; asked as `admin`. @throws Fault `slot-unknown` if a name is ambiguous */
  accounts(
    address: DatabaseAddress,
    admin: string,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>>;
  /** One statement sets the password and unlocks; the server receives a hash, never the plain text. */
  setPassword(
    address: DatabaseAddress,
    admin: string,
    user: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<void>;
  /** Locks the account and gives it a password that nobody knows; with `endSessions`, its open sessions are ended too. */
  lock(
    address: DatabaseAddress,
    admin: string,
    user: string,
    options: { readonly endSessions: boolean },
    signal: AbortSignal,
  ): Promise<void>;
}

export interface MariaDbSettings extends Partial<SessionOptions> {
  /**
   * An access token of keyturn's identity: the administrator's password, by whatever method the server asks for it.
   * Azure Database for MySQL asks for `mysql_clear_password`, which the connector answers over TLS only.
   */
  readonly token: (signal: AbortSignal) => Promise<string>;
}

/** MariaDB or MySQL over verified TLS; there is no way to turn the verification off. One connection per call. */
export function createMariaDb({ token, ...settings }: MariaDbSettings): MariaDb {
  const options = { ...defaultSessionOptions, ...settings };

  const asAdmin = adminSessions(token, options);
  return {
    accepts: (address, user, password, signal) =>
      span("accepts", address, user, async () => {
        // An account without a password would let an empty one in.
        if (password.isEmpty) return false;
        const login = { address, user, password: password.reveal(), database: address.database };
        try {
          await withSession(login, options, signal, (connection) => connection.query("SELECT 1"));
          return true;
        } catch (error) {
          if (isRejection(error)) return false;
          throw mariaDbFault(error, { address, user, needs: connectRight(address, user) });
        }
      }),

    accounts: (address, admin, names, signal) =>
      span("accounts", address, admin, () =>
        asAdmin({ address, user: admin, needs: alterRight(admin) }, signal, async (connection) => {
          const hosts = await hostsOf(connection, address, names);
          return new Set(hosts.keys());
        }),
      ),

    setPassword: (address, admin, user, password, signal) =>
      span("setPassword", address, user, async () => {
        const attempt = { address, user: admin, principal: user, needs: alterRight(admin) };
        await asAdmin(attempt, signal, (connection) => alter(connection, attempt, password, "UNLOCK"));
      }),

    lock: (address, admin, user, { endSessions }, signal) =>
      span("lock", address, user, async () => {
        const attempt = { address, user: admin, principal: user, needs: alterRight(admin, endSessions) };
        const forgotten = randomText(defaultLength, alphabets.unreserved, cryptoRandomInt);
        await asAdmin(attempt, signal, async (connection) => {
          await alter(connection, attempt, forgotten, "LOCK");
          if (endSessions) await killSessions(connection, user);
        });
      }),
  };
}

/** Runs work as the administrator of an attempt, with the token as its password. */
function adminSessions(token: MariaDbSettings["token"], options: SessionOptions) {
  return async <T>(
    attempt: Attempt,
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> => {
    const { address, user } = attempt;
    const password = await token(signal);
    try {
      return await withSession({ address, user, password }, options, signal, work);
    } catch (error) {
      throw mariaDbFault(error, attempt);
    }
  };
}

/** Password and lock in one statement, in the words of the server's dialect. */
async function alter(
  connection: Connection,
  { address, principal: account }: Attempt & { readonly principal: string },
  password: SecretValue,
  lock: "LOCK" | "UNLOCK",
): Promise<void> {
  const host = (await hostsOf(connection, address, [account])).get(account);
  if (host === undefined) throw missingAccount(address, account);
  const isMariaDb = connection.info?.serverVersion.mariaDb === true;
  const method = isMariaDb
    ? "IDENTIFIED VIA mysql_native_password USING ?"
    : "IDENTIFIED WITH caching_sha2_password AS ?";
  const hash = isMariaDb ? nativePasswordHash(password) : cachingSha2Hash(password);
  await connection.query(`ALTER USER ?@? ${method} ACCOUNT ${lock}`, [account, host, hash.reveal()]);
}

const AccountRows = z.array(z.object({ User: z.string(), Host: z.string() }));

async function hostsOf(
  connection: Connection,
  address: DatabaseAddress,
  names: readonly string[],
): Promise<Map<string, string>> {
  // MariaDB keeps roles in the same table; they have no host. The comparison of names is exact on both servers.
  const rows = AccountRows.parse(
    await connection.query("SELECT User, Host FROM mysql.user WHERE Host <> '' AND User IN (?)", [names]),
  );
  const hosts = new Map<string, string>();
  for (const { User, Host } of rows) {
    if (hosts.has(User)) throw severalAccounts(address, User);
    hosts.set(User, Host);
  }
  return hosts;
}

const SessionRows = z.array(z.object({ ID: z.union([z.bigint(), z.int()]) }));

async function killSessions(connection: Connection, user: string): Promise<void> {
  const sessions = await connection.query("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?", [
    user,
  ]);
  for (const { ID } of SessionRows.parse(sessions)) await killSession(connection, ID);
}

/** Azure Database for MySQL keeps KILL to itself and has a procedure in its place. */
async function killSession(connection: Connection, id: bigint | number): Promise<void> {
  try {
    await connection.query(`KILL CONNECTION ${id}`);
  } catch (error) {
    if (isGoneSession(error)) return;
    if (!isKillDenied(error)) throw error;
    await connection.query("CALL mysql.az_kill(?)", [id]).catch((second: unknown) => {
      if (!isGoneSession(second)) throw error;
    });
  }
}

function span<T>(name: string, address: DatabaseAddress, user: string, work: () => Promise<T>): Promise<T> {
  const attributes = {
    "db.system.name": "mariadb",
    "db.namespace": address.database,
    "server.address": address.host,
    "server.port": address.port,
    [attribute.credential]: user,
  };
  return inSpan(`MariaDb.${name}`, attributes, work, { kind: SpanKind.CLIENT });
}
