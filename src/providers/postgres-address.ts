/** A server and database of the policy. Connections are always over verified TLS. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}
