/** A database server and database of the policy. Connections are always over verified TLS. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}
