import { Redis } from "ioredis";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type GuardedProcess, freePort, startGuarded } from "./guarded-process.ts";
import { findRedis } from "./programs.ts";

export interface RedisOptions {
  /** Lines as in an ACL file: `user default off`, `user <oid> on >token ~* &* +@all`. */
  readonly acl?: readonly string[];
  /** Password of the user `default`. */
  readonly password?: string;
  /** Keep data over `restart()`; otherwise a restarted server is empty. */
  readonly keep?: boolean;
}

export interface RedisServer extends AsyncDisposable {
  /** `redis://127.0.0.1:port`, with the password if there is one. */
  readonly url: string;
  readonly port: number;
  /** Of the running process; another one after `restart()`. */
  readonly pid: number;
  /** Replaces the passwords of a user. Open connections stay logged in, as at Azure until their token expires. */
  setPassword(user: string, ...passwords: string[]): Promise<void>;
  /** Runs a command as a private administrator, whatever the ACL says: `admin("CLIENT", "KILL", "USER", oid)`. */
  admin(command: string, ...args: string[]): Promise<unknown>;
  /** Ends the server as an operator would, and removes its folder. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL; `restart()` brings it back. */
  kill(): Promise<void>;
  /** Starts it again on the same port; ends it first if it runs. */
  restart(): Promise<void>;
}

/** What the server process needs to know, the same for every start. */
interface Setup {
  readonly redis: Awaited<ReturnType<typeof findRedis>>;
  readonly folder: string;
  readonly port: number;
  readonly adminPassword: string;
}

const adminName = "keyturn-test-admin";

/** A Redis (or Valkey) of its own: own port on loopback, own folder, gone with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const redis = await findRedis();
  const folder = await mkdtemp(join(tmpdir(), "keyturn-redis-"));
  const adminPassword = randomBytes(24).toString("hex");
  // Somebody may take the port between our finding it free and the server's using it.
  for (let attempt = 1; ; attempt++) {
    const setup = { redis, folder, port: await freePort(), adminPassword };
    await writeFile(join(folder, "redis.conf"), configuration(setup, options), { mode: 0o600 });
    try {
      return handle(setup, await launch(setup), options.password);
    } catch (error) {
      if (attempt < 5) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

function handle(setup: Setup, first: GuardedProcess, password: string | undefined): RedisServer {
  let server = first;
  const admin = async (command: string, ...args: string[]) => {
    const client = new Redis({
      port: setup.port,
      host: "127.0.0.1",
      username: adminName,
      password: setup.adminPassword,
      retryStrategy: () => null,
    });
    client.on("error", () => {});
    try {
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  };
  const stop = async () => {
    if (!server.exited) await server.end("SIGTERM");
    await rm(setup.folder, { recursive: true, force: true });
  };
  return {
    url: `redis://${password ? `:${encodeURIComponent(password)}@` : ""}127.0.0.1:${setup.port}`,
    port: setup.port,
    get pid() {
      return server.pid;
    },
    admin,
    async setPassword(user, ...passwords) {
      await admin("ACL", "SETUSER", user, "resetpass", ...passwords.map((one) => `>${one}`));
    },
    stop,
    async kill() {
      if (!server.exited) await server.end("SIGKILL");
    },
    async restart() {
      if (!server.exited) await server.end("SIGTERM");
      server = await launch(setup);
    },
    [Symbol.asyncDispose]: stop,
  };
}

function configuration({ folder, port, adminPassword }: Setup, options: RedisOptions): string {
  return [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `logfile ${join(folder, "redis.log")}`,
    'save ""',
    `appendonly ${options.keep ? "yes" : "no"}`,
    // What BullMQ demands: jobs must never be evicted.
    "maxmemory-policy noeviction",
    `user ${adminName} on >${adminPassword} ~* &* +@all`,
    ...(options.password ? [`user default on >${options.password} ~* &* +@all`] : []),
    ...(options.acl ?? []),
    "",
  ].join("\n");
}

async function launch({ redis, folder }: Setup): Promise<GuardedProcess> {
  const log = join(folder, "redis.log");
  const output = join(folder, "output.log");
  await rm(log, { force: true });
  const server = await startGuarded(redis.program, {
    args: [join(folder, "redis.conf")],
    cwd: folder,
    env: { ...redis.env, LC_ALL: "C.UTF-8" },
    output,
    folder,
    lastSignal: "KILL",
  });
  while (!(await text(log)).includes("Ready to accept connections")) {
    if (server.exited)
      throw new Error(
        `Redis did not start:\n${(await text(log)).slice(-1500)}${(await text(output)).slice(-500)}`,
      );
    await delay(3);
  }
  return server;
}

function text(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
