import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createConnection } from "mariadb";
import { nativePasswordHash } from "../../src/providers/mysql/password-hash.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { copyDataTemplate, versionOf } from "./data-template.ts";
import { type GuardedProcess, freePort, startGuarded } from "./guarded-process.ts";
import { findMariaDb, type Programs } from "./programs.ts";

export interface MariaDbOptions {
  /** PEM texts; the certificate names the host that clients use. */
  readonly tls: { readonly cert: string; readonly key: string };
}

type Row = Readonly<Record<string, unknown>>;

export interface MariaDbServer extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly pid: number;
  /** Runs a statement as `root` over the unix socket. */
  sql(text: string, values?: readonly unknown[]): Promise<Row[]>;
  createDatabase(name: string): Promise<void>;
  /** An account for every host, with this password; without one it cannot log in. Rights: `SELECT` in all databases. */
  createUser(name: string, password?: string): Promise<void>;
  /** What keyturn's own account needs, no more. Without a password it has none until `setPassword`. */
  createAdmin(name: string, password?: string): Promise<void>;
  /** Gives an account a password by hand. The server's log shows a hash. */
  setPassword(name: string, password: string): Promise<void>;
  /** Every statement and log-in so far. */
  generalLog(): Promise<string>;
  stop(): Promise<void>;
}

/** Fixed for the life of a server; every start uses it. */
interface Setup {
  readonly programs: Programs & { readonly share: string };
  readonly folder: string;
  readonly port: number;
  /** MariaDB refuses to run as root: `nobody` then. */
  readonly user: number | undefined;
}

const nobody = 65534;

/** A MariaDB of its own: own port on loopback, own data folder, TLS demanded, gone with this process. */
export async function startMariaDb({ tls }: MariaDbOptions): Promise<MariaDbServer> {
  const programs = await findMariaDb();
  const folder = await mkdtemp(join(tmpdir(), "keyturn-mariadb-"));
  const user = process.getuid?.() === 0 ? nobody : undefined;
  try {
    await copySystemTables({ programs, folder, user });
    const files = { "server.crt": tls.cert, "server.key": tls.key, "general.log": "" };
    for (const [name, text] of Object.entries(files))
      await writeFile(join(folder, name), text, { mode: 0o600 });
    const paths = ["", ...Object.keys(files)].map((name) => join(folder, name));
    if (user !== undefined) for (const path of paths) await chown(path, user, user);
    return await startOnFreePort({ programs, folder, user });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function copySystemTables(place: Omit<Setup, "port">): Promise<void> {
  const { programs, folder, user } = place;
  const names = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"];
  const texts = await Promise.all(names.map((name) => readFile(join(programs.share, name), "utf8")));
  // Accounts for the name of this machine would ask a name server.
  const lines = texts
    .flatMap((text) => text.split("\n"))
    .filter((line) => !line.includes("@current_hostname"));
  const make = async (draft: string) => {
    await mkdir(join(draft, "data"));
    if (user !== undefined) await chown(join(draft, "data"), user, user);
    await fillSystemTables({ programs, folder: draft, user }, lines);
  };
  const version = await versionOf(join(programs.folder, "mariadbd"), environment(place));
  const key = [version, ...settings, ...lines];
  await copyDataTemplate({ name: "mariadb", key, user, make }, join(folder, "data"));
}

/** What `mariadb-install-db` does, without the shell script, which needs programs of another package. */
async function fillSystemTables(place: Omit<Setup, "port">, lines: readonly string[]): Promise<void> {
  const { programs, folder, user } = place;
  const output = join(folder, "install.log");
  const bootstrap = spawn(join(programs.folder, "mariadbd"), [...basics(place), "--bootstrap"], {
    cwd: folder,
    env: environment(place),
    stdio: ["pipe", "ignore", "pipe"],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  let printed = "";
  bootstrap.stderr.on("data", (chunk) => (printed += String(chunk)));
  const ended = once(bootstrap, "close");
  bootstrap.stdin.on("error", () => {});
  bootstrap.stdin.end(["CREATE DATABASE mysql;", "USE mysql;", ...lines, ""].join("\n"));
  const [code] = await ended;
  if (code !== 0)
    throw new Error(`MariaDB's system tables were not made (${output}):\n${printed.slice(-1500)}`);
}

function basics({ programs, folder }: Omit<Setup, "port">): string[] {
  return [
    "--no-defaults",
    `--basedir=${dirname(programs.folder)}`,
    `--datadir=${join(folder, "data")}`,
    `--lc-messages-dir=${programs.share}`,
    ...settings,
  ];
}

const settings = [
  "--innodb-buffer-pool-size=8M",
  "--innodb-log-file-size=4M",
  "--innodb-flush-log-at-trx-commit=0",
  "--silent-startup",
];

async function startOnFreePort(place: Omit<Setup, "port">): Promise<MariaDbServer> {
  // Somebody may take the port between our finding it free and the server's using it.
  for (let attempt = 1; ; attempt++) {
    const setup = { ...place, port: await freePort() };
    const server = await launch(setup).catch((error: unknown) => {
      if (attempt === 5) throw error;
      return undefined;
    });
    if (!server) continue;
    const sql = sqlOver(join(setup.folder, "server.sock"));
    await sql("DROP USER root@'127.0.0.1', root@'::1'");
    return handle(setup, server, sql);
  }
}

async function launch(setup: Setup): Promise<GuardedProcess> {
  const { programs, folder, port, user } = setup;
  const output = join(folder, "server.log");
  const server = await startGuarded(join(programs.folder, "mariadbd"), {
    args: [
      ...basics(setup),
      "--bind-address=127.0.0.1",
      `--port=${port}`,
      `--socket=${join(folder, "server.sock")}`,
      `--pid-file=${join(folder, "server.pid")}`,
      "--skip-name-resolve",
      `--ssl-cert=${join(folder, "server.crt")}`,
      `--ssl-key=${join(folder, "server.key")}`,
      "--general-log=1",
      `--general-log-file=${join(folder, "general.log")}`,
    ],
    cwd: folder,
    env: environment(setup),
    output,
    folder,
    lastSignal: "KILL",
    user,
  });
  while (!(await read(output)).includes("ready for connections")) {
    if (server.exited) throw new Error(`MariaDB did not start:\n${(await read(output)).slice(-1500)}`);
    await delay(5);
  }
  return server;
}

function handle(setup: Setup, server: GuardedProcess, sql: MariaDbServer["sql"]): MariaDbServer {
  const { folder, port } = setup;
  const stop = async () => {
    if (!server.exited) await server.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  };
  const setPassword = async (name: string, password: string) => {
    const hash = nativePasswordHash(new SecretValue(password)).reveal();
    await sql("ALTER USER ?@'%' IDENTIFIED VIA mysql_native_password USING ? ACCOUNT UNLOCK", [name, hash]);
  };
  /** `invalid` is no hash of anything: nobody can log in. */
  const create = async (name: string, password: string | undefined) => {
    await sql("CREATE USER ?@'%' IDENTIFIED VIA mysql_native_password USING 'invalid' REQUIRE SSL", [name]);
    if (password !== undefined) await setPassword(name, password);
  };
  return {
    host: "127.0.0.1",
    port,
    pid: server.pid,
    sql,
    setPassword,
    async createDatabase(name) {
      await sql(`CREATE DATABASE \`${name.replaceAll("`", "``")}\``);
    },
    async createUser(name, password) {
      await create(name, password);
      await sql("GRANT SELECT ON *.* TO ?@'%'", [name]);
    },
    async createAdmin(name, password) {
      await create(name, password);
      await sql("GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO ?@'%'", [name]);
      await sql("GRANT SELECT (User, Host) ON mysql.user TO ?@'%'", [name]);
    },
    generalLog: () => read(join(folder, "general.log")),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function sqlOver(socketPath: string): MariaDbServer["sql"] {
  return async (text, values = []) => {
    const connection = await createConnection({ socketPath, user: "root" });
    try {
      return await connection.query<Row[]>(text, [...values]);
    } finally {
      await connection.end();
    }
  };
}

function environment({ programs, folder }: Omit<Setup, "port">): Record<string, string> {
  return { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", HOME: folder, ...programs.env };
}

function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
