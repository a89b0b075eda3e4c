import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { scramVerifier } from "../../src/providers/postgres/scram.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { copyDataTemplate, versionOf } from "./data-template.ts";
import { type GuardedProcess, freePort, startGuarded } from "./guarded-process.ts";
import { type Programs, findPostgres } from "./programs.ts";

const run = promisify(execFile);

export interface PostgresOptions {
  /** PEM texts; the certificate names the host that clients use. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Where the LDAP responder listens that checks tokens: members of `azure_ad` then log in with a token. */
  readonly ldapPort?: number;
  /** What the server's log shows; PostgreSQL's default is `none`. */
  readonly logStatement?: "none" | "ddl" | "mod" | "all";
}

type Row = Readonly<Record<string, unknown>>;

export interface PostgresServer extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly pid: number;
  /** Runs statements as superuser over the unix socket; resolves with the rows of the last one. */
  sql(text: string, values?: readonly unknown[], database?: string): Promise<Row[]>;
  createDatabase(name: string): Promise<void>;
  /** A role that may log in, with this password if one is given. Administrators may rotate it. */
  createRole(name: string, password?: string): Promise<void>;
  /**
   * An administrator as Azure makes one for a managed identity: member of `azure_ad`, CREATEROLE, may end sessions, and
   * from PostgreSQL 16 on ADMIN on every role made by `createRole`. A password counts only without `ldapPort`.
   */
  createAdmin(name: string, password?: string): Promise<void>;
  /** All that the server has logged so far. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Fixed for the life of a server; every start uses it. */
interface Setup {
  readonly programs: Programs;
  readonly folder: string;
  readonly port: number;
  /** PostgreSQL refuses to run as root: `nobody` then. */
  readonly user: number | undefined;
}

const superuser = "postgres";
const nobody = 65534;

/** A PostgreSQL of its own: own port on loopback, own data folder, TLS, SCRAM log-ins, gone with this process. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const programs = await findPostgres();
  const folder = await mkdtemp(join(tmpdir(), "keyturn-postgres-"));
  const user = process.getuid?.() === 0 ? nobody : undefined;
  if (user !== undefined) await chown(folder, user, user);
  try {
    await prepare({ programs, folder, user }, options);
    return await startOnFreePort({ programs, folder, user }, options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startOnFreePort(
  place: Omit<Setup, "port">,
  options: PostgresOptions,
): Promise<PostgresServer> {
  // Somebody may take the port between our finding it free and the server's using it.
  for (let attempt = 1; ; attempt++) {
    const setup = { ...place, port: await freePort() };
    const server = await launch(setup, options).catch((error: unknown) => {
      if (attempt === 5) throw error;
      return undefined;
    });
    if (!server) continue;
    const sql = sqlOver(setup.folder, setup.port);
    await sql("CREATE ROLE azure_ad NOLOGIN");
    return handle(setup, server, sql);
  }
}

async function prepare({ programs, folder, user }: Omit<Setup, "port">, options: PostgresOptions) {
  const data = join(folder, "data");
  const args = ["-U", superuser, "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync"];
  const program = join(programs.folder, "initdb");
  const make = async (place: string) => {
    const identity = user === undefined ? {} : { uid: user, gid: user };
    const env = environment(programs, place);
    await run(program, ["-D", join(place, "data"), ...args], { cwd: place, env, ...identity });
  };
  const key = [await versionOf(program, environment(programs, folder)), ...args];
  await copyDataTemplate({ name: "postgres", key, user, make }, data);
  const files = {
    "server.crt": options.tls.cert,
    "server.key": options.tls.key,
    "pg_hba.conf": logIns(options.ldapPort),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(data, name);
    await writeFile(path, text);
    await chmod(path, 0o600);
    if (user !== undefined) await chown(path, user, user);
  }
}

/** pg_hba.conf: the first line that fits a log-in decides. */
function logIns(ldapPort: number | undefined): string {
  const ldap = `ldap ldapserver=127.0.0.1 ldapport=${ldapPort} ldapprefix="cn=" ldapsuffix=",o=azure"`;
  return [
    `local all ${superuser} trust`,
    ...(ldapPort === undefined ? [] : [`hostssl all +azure_ad 127.0.0.1/32 ${ldap}`]),
    "hostssl all all 127.0.0.1/32 scram-sha-256",
    "",
  ].join("\n");
}

async function launch(
  { programs, folder, port, user }: Setup,
  options: PostgresOptions,
): Promise<GuardedProcess> {
  const settings = {
    // One address only: with several, PostgreSQL starts even if the port is taken on one of them.
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: folder,
    ssl: "on",
    password_encryption: "scram-sha-256",
    log_statement: options.logStatement ?? "none",
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    jit: "off",
    shared_buffers: "16MB",
    max_connections: 50,
  };
  const output = join(folder, "server.log");
  const data = join(folder, "data");
  const server = await startGuarded(join(programs.folder, "postgres"), {
    args: ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    cwd: folder,
    env: environment(programs, folder),
    output,
    folder,
    lastSignal: "QUIT",
    user,
  });
  // The last line of this file is what `pg_ctl -w` waits for.
  while (!/^ready\s*$/m.test(await read(join(data, "postmaster.pid")))) {
    if (server.exited) throw new Error(`PostgreSQL did not start:\n${(await read(output)).slice(-1500)}`);
    await delay(5);
  }
  return server;
}

function handle(setup: Setup, server: GuardedProcess, sql: PostgresServer["sql"]): PostgresServer {
  const { folder, port } = setup;
  const roles = new Set<string>();
  const admins = new Set<string>();
  /** From PostgreSQL 16 on, CREATEROLE alone no longer lets a role change others. */
  const grantAdmin = async (role: string, admin: string) => {
    const [found] = await sql(
      "SELECT current_setting('server_version_num')::int AS version FROM pg_roles WHERE rolname = $1",
      [role],
    );
    if (found && Number(found["version"]) >= 160_000)
      await sql(`GRANT ${id(role)} TO ${id(admin)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
  };
  const stop = async () => {
    if (!server.exited) await server.end("SIGINT");
    await rm(folder, { recursive: true, force: true });
  };
  return {
    host: "127.0.0.1",
    port,
    pid: server.pid,
    sql,
    async createDatabase(name) {
      await sql(`CREATE DATABASE ${id(name)}`);
    },
    async createRole(name, password) {
      roles.add(name);
      await sql(`CREATE ROLE ${id(name)} LOGIN${await passwordClause(password)}`);
      for (const admin of admins) await grantAdmin(name, admin);
    },
    async createAdmin(name, password) {
      admins.add(name);
      const groups = "IN ROLE azure_ad, pg_signal_backend";
      await sql(`CREATE ROLE ${id(name)} LOGIN CREATEROLE ${groups}${await passwordClause(password)}`);
      for (const role of roles) await grantAdmin(role, name);
    },
    log: () => read(join(folder, "server.log")),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Never the plain text: tests look for it in the server's log. */
async function passwordClause(password: string | undefined): Promise<string> {
  if (password === undefined) return "";
  const verifier = await scramVerifier(new SecretValue(password));
  return ` PASSWORD ${escapeLiteral(verifier.reveal())}`;
}

function sqlOver(folder: string, port: number): PostgresServer["sql"] {
  return async (text, values = [], database = "postgres") => {
    const client = new Client({ host: folder, port, user: superuser, database });
    await client.connect();
    try {
      const result = await client.query<Row>(text, [...values]);
      return result.rows;
    } finally {
      await client.end();
    }
  };
}

function environment({ env }: Programs, folder: string): Record<string, string> {
  return { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", HOME: folder, ...env };
}

function id(name: string): string {
  return escapeIdentifier(name);
}

function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
