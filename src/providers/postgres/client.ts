import { SpanKind } from "@opentelemetry/api";
import { type Client, escapeIdentifier, escapeLiteral } from "pg";
import { z } from "zod";
import type { SecretValue } from "../../secret-value.ts";
import { attribute } from "../../telemetry/names.ts";
import { inSpan } from "../../telemetry/span.ts";
import type { DatabaseAddress } from "../sql/address.ts";
import type { Attempt } from "../sql/faults.ts";
import { defaultSessionOptions, type SessionOptions } from "../sql/socket.ts";
import { alterRight, connectRight, isRejection, postgresFault } from "./faults.ts";
import { scramVerifier } from "./scram.ts";
import { withSession } from "./session.ts";

/** PostgreSQL servers, as rotators need them. Every method throws a `Fault` that quotes no value. */
export interface Postgres {
  /** Whether this user may log in with this password and run a query. Network trouble is a fault, not `false`. */
  accepts(
    address: DatabaseAddress,
    user: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Those of `roles` that exist on the server, and whether each may log in; asked as `admin`. */
  roles(
    address: DatabaseAddress,
    admin: string,
    roles: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, { readonly login: boolean }>>;
  /** One statement sets LOGIN and password; the server receives a SCRAM-SHA-256 verifier, never the plain text. */
  setPassword(
    address: DatabaseAddress,
    admin: string,
    role: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<void>;
  /** `NOLOGIN PASSWORD NULL`; with `endSessions`, its open sessions are ended too. */
  disableRole(
    address: DatabaseAddress,
    admin: string,
    role: string,
    options: { readonly endSessions: boolean },
    signal: AbortSignal,
  ): Promise<void>;
}

export interface PostgresSettings extends Partial<SessionOptions> {
  /** An access token of keyturn's identity for the cloud's databases: the administrator's password. */
  readonly token: (signal: AbortSignal) => Promise<string>;
}

/** PostgreSQL over verified TLS; there is no way to turn the verification off. One connection per call. */
export function createPostgres({ token, ...settings }: PostgresSettings): Postgres {
  const options = { ...defaultSessionOptions, ...settings };

  const asAdmin = adminSessions(token, options);
  return {
    accepts: (address, user, password, signal) =>
      span("accepts", address, user, async () => {
        // `pg` would look for an empty password in the environment.
        if (password.isEmpty) return false;
        const login = { address, user, password: password.reveal() };
        try {
          await withSession(login, options, signal, (client) => client.query("SELECT 1"));
          return true;
        } catch (error) {
          if (isRejection(error)) return false;
          throw postgresFault(error, { address, user, needs: connectRight(address, user) });
        }
      }),

    roles: (address, admin, roles, signal) =>
      span("roles", address, admin, () => {
        const attempt = { address, user: admin, needs: connectRight(address, admin) };
        return asAdmin(attempt, signal, async (client) => {
          const { rows } = await client.query(
            "SELECT rolname AS name, rolcanlogin AS login FROM pg_catalog.pg_roles WHERE rolname = ANY($1)",
            [roles],
          );
          return new Map(RoleRows.parse(rows).map(({ name, login }) => [name, { login }]));
        });
      }),

    setPassword: (address, admin, role, password, signal) =>
      span("setPassword", address, role, async () => {
        const verifier = escapeLiteral((await scramVerifier(password)).reveal());
        const attempt = { address, user: admin, principal: role, needs: alterRight(admin, role) };
        await asAdmin(attempt, signal, (client) =>
          client.query(`ALTER ROLE ${escapeIdentifier(role)} LOGIN PASSWORD ${verifier}`),
        );
      }),

    disableRole: (address, admin, role, { endSessions }, signal) =>
      span("disableRole", address, role, async () => {
        const attempt = {
          address,
          user: admin,
          principal: role,
          needs: alterRight(admin, role, endSessions),
        };
        await asAdmin(attempt, signal, async (client) => {
          await client.query(`ALTER ROLE ${escapeIdentifier(role)} NOLOGIN PASSWORD NULL`);
          if (endSessions) await client.query(terminate, [role]);
        });
      }),
  };
}

/** Runs work as the administrator of an attempt, with the token as its password. */
function adminSessions(token: PostgresSettings["token"], options: SessionOptions) {
  return async <T>(
    attempt: Attempt,
    signal: AbortSignal,
    work: (client: Client) => Promise<T>,
  ): Promise<T> => {
    const { address, user } = attempt;
    const password = await token(signal);
    try {
      return await withSession({ address, user, password }, options, signal, work);
    } catch (error) {
      throw postgresFault(error, attempt);
    }
  };
}

const RoleRows = z.array(z.object({ name: z.string(), login: z.boolean() }));

const terminate =
  "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = $1";

function span<T>(name: string, address: DatabaseAddress, role: string, work: () => Promise<T>): Promise<T> {
  const attributes = {
    "db.system.name": "postgresql",
    "db.namespace": address.database,
    "server.address": address.host,
    "server.port": address.port,
    [attribute.credential]: role,
  };
  return inSpan(`Postgres.${name}`, attributes, work, { kind: SpanKind.CLIENT });
}
