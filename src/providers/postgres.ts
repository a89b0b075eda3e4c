import type { SecretValue } from "../secret-value.ts";

/** A server and database of the policy. Connections are always over verified TLS. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** PostgreSQL servers, as rotators need them. Every method throws a `Fault` that quotes no value. */
export interface Postgres {
  /** Whether this user may log in with this password and run a query. Network trouble is a fault, not `false`. */
  accepts(
    address: PostgresAddress,
    user: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Those of `roles` that exist on the server, and whether each may log in; asked as `admin`. */
  roles(
    address: PostgresAddress,
    admin: string,
    roles: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, { readonly login: boolean }>>;
  /** One statement sets LOGIN and password; the server receives a SCRAM-SHA-256 verifier, never the plain text. */
  setPassword(
    address: PostgresAddress,
    admin: string,
    role: string,
    password: SecretValue,
    signal: AbortSignal,
  ): Promise<void>;
  /** `NOLOGIN PASSWORD NULL`; with `endSessions`, its open sessions are ended too. */
  disableRole(
    address: PostgresAddress,
    admin: string,
    role: string,
    options: { readonly endSessions: boolean },
    signal: AbortSignal,
  ): Promise<void>;
}
