import { Redis, type RedisOptions } from "ioredis";
import { once } from "node:events";
import { type Clock, type Millis, systemClock } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  createEntraRedisAuth,
  type EntraRedisAuth,
  type GetToken,
  type TokenTiming,
} from "./entra-redis-auth.ts";

export interface RedisOptionsOf {
  /** `rediss://host:port`; plain `redis://` only on this machine. Without password. */
  readonly url: string;
  /** Redis user name when it is not the `oid` of the token. */
  readonly username?: string | undefined;
  /** Log in with these tokens; without it there is no log-in. */
  readonly getToken?: GetToken | undefined;
  readonly log: Log;
  readonly clock?: Clock;
  readonly timing?: TokenTiming;
}

/** All connections to Redis. They are opened again automatically: Redis may be away at the start or at any time later. */
export interface RedisConnections {
  /** Shared. Fails fast: a command is refused while Redis is away and gives up after 5 s. */
  producer(): Redis;
  /** Shared. Patient: a command waits until Redis is back. */
  worker(): Redis;
  state(): "ready" | "unreachable";
  /** Why it was last unreachable: `ECONNREFUSED`, `WRONGPASS`, ... */
  lastError(): string | undefined;
  /** @throws Fault `unavailable` if Redis is not there within `patience` */
  whenReady(patience: Millis): Promise<void>;
  close(): Promise<void>;
}

/** @throws Fault `invalid-config` if the URL cannot be used */
export function connectRedis(options: RedisOptionsOf): RedisConnections {
  const { log, clock = systemClock } = options;
  const base: RedisOptions = {
    ...address(options.url),
    retryStrategy: (tries) => Math.min(100 * tries, 3000),
  };
  const auth =
    options.getToken &&
    createEntraRedisAuth({
      getToken: options.getToken,
      username: options.username,
      timing: options.timing,
      clock,
      log,
    });
  const clients = new Set<Redis>();
  const producer = open(
    { ...base, maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 5000 },
    clients,
    auth,
  );
  const lastError = report(producer, log);
  let worker: Redis | undefined;
  return {
    producer: () => producer,
    worker: () => (worker ??= open({ ...base, maxRetriesPerRequest: null }, clients, auth)),
    state: () => (producer.status === "ready" ? "ready" : "unreachable"),
    lastError,
    async whenReady(patience) {
      if (producer.status === "ready") return;
      await once(producer, "ready", { signal: AbortSignal.timeout(patience) }).catch(() => {
        throw new Fault("unavailable", `Redis is unreachable (${lastError() ?? "no answer"})`);
      });
    },
    async close() {
      auth?.stop();
      await Promise.all([...clients].map(disconnect));
    },
  };
}

/** Also for the copies that BullMQ makes for its blocking reads: a stock `duplicate()` would forget the log-in. */
function open(options: RedisOptions, clients: Set<Redis>, auth: EntraRedisAuth | undefined): Redis {
  const client = new Redis(auth ? { ...options, Connector: auth.Connector } : options);
  const duplicate = (override?: Partial<RedisOptions>) =>
    open({ ...client.options, ...override }, clients, auth);
  client.duplicate = duplicate;
  clients.add(client);
  client.once("end", () => clients.delete(client));
  // Connection errors are the producer's to report; without a listener ioredis prints them.
  client.on("error", () => {});
  auth?.keepLoggedIn(client);
  return client;
}

function address(url: string): RedisOptions {
  const parsed = URL.parse(url);
  const secure = parsed?.protocol === "rediss:";
  if (parsed === null || (!secure && parsed.protocol !== "redis:"))
    throw new Fault("invalid-config", "the URL of Redis must look like rediss://host:port");
  if (parsed.password || parsed.username)
    throw new Fault(
      "invalid-config",
      "the URL of Redis must hold no user and no password: log-in is by identity",
    );
  if (!secure && !["127.0.0.1", "localhost", "[::1]"].includes(parsed.hostname))
    throw new Fault("invalid-config", "Redis without TLS is allowed on this machine only; use rediss://");
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return { host, port: parsed.port ? Number(parsed.port) : 6379, ...(secure ? { tls: {} } : {}) };
}

/** Logs each change between reachable and not, once. */
function report(client: Redis, log: Log): () => string | undefined {
  let last: string | undefined;
  let told: "ready" | "unreachable" | undefined;
  client.on("error", (error) => {
    last = errorCode(error);
  });
  client.on("ready", () => {
    if (told === "unreachable") log.info("Redis is reachable again");
    told = "ready";
  });
  client.once("ready", () => warnIfEvicting(client, log));
  client.on("close", () => {
    if (told !== "unreachable")
      log.warn({ code: last }, "Redis is unreachable; connecting in the background");
    told = "unreachable";
  });
  return () => last;
}

/** The code of a socket's or of Redis' own error; never its text, which can quote the command. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  return /^[A-Z]{3,}(?= )/.exec(error.message)?.[0] ?? error.name;
}

/** With eviction, Redis throws jobs away when it is full. */
function warnIfEvicting(client: Redis, log: Log): void {
  const warn = (memory: string) => {
    const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
    if (policy !== undefined && policy !== "noeviction")
      log.warn({ policy }, "Redis may evict jobs: set its maxmemory-policy to noeviction");
  };
  // Not everybody may ask; then nobody is warned.
  client.info("memory").then(warn, () => {});
}

async function disconnect(client: Redis): Promise<void> {
  const ended = client.status === "ready" ? once(client, "end") : undefined;
  client.disconnect();
  await ended;
}
