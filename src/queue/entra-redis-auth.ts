import { AbstractConnector, type Redis, type RedisOptions } from "ioredis";
import net from "node:net";
import tls from "node:tls";
import { z } from "zod";
import type { Clock, Millis, Timestamp } from "../clock.ts";
import { Fault, toFault } from "../errors.ts";
import type { Log } from "../log.ts";

export interface AccessToken {
  readonly token: string;
  readonly expiresOnTimestamp: Timestamp;
}

/** Gets a token for `https://redis.azure.com/.default`. Asked often; its source is expected to cache. */
export type GetToken = () => Promise<AccessToken | null>;

export interface TokenTiming {
  /** How often the source is asked whether it has a newer token. */
  readonly poll: Millis;
  /** A token with less than this left is not used for a new connection. */
  readonly minLife: Millis;
}

export interface EntraRedisAuthOptions {
  readonly getToken: GetToken;
  /** Redis user name; the object id inside the token when absent. */
  readonly username: string | undefined;
  readonly timing: TokenTiming | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Logs Redis clients in with Entra tokens and keeps them logged in. */
export interface EntraRedisAuth {
  /** Belongs into the options of every client. */
  readonly Connector: new (
    options: unknown,
  ) => AbstractConnector;
  /** Sends each new token over this client's open connection. */
  keepLoggedIn(client: Redis): void;
  stop(): void;
}

/** A blocked read answers AUTH only when it unblocks, after 10 s at most: a token must live longer than that. */
const usual: TokenTiming = { poll: 60_000, minLife: 30_000 };

const claims = z.object({ oid: z.string().min(1) });

/**
 * ioredis has no credential provider, and it reads the password before it asks the connector for a socket. So the
 * connector is the gate: without a fresh token it hands back a dead socket and the client tries again later. Rejecting
 * instead would end the client for good, and logging in with a stale token would make it drop every queued command.
 */
export function createEntraRedisAuth(options: EntraRedisAuthOptions): EntraRedisAuth {
  const source = pollTokens(options);
  return {
    Connector: gate(source),
    keepLoggedIn(client) {
      source.onChange(client, () => {
        if (client.status === "ready") logIn(client, source);
      });
      // The token may have changed between this connection's log-in and its getting ready.
      client.on("ready", () => {
        if (client.condition?.auth?.[1] !== source.password) logIn(client, source);
      });
    },
    stop: () => source.stop(),
  };
}

function logIn(client: Redis, source: TokenSource): void {
  client.auth(source.username, source.password).catch(() => client.disconnect(true));
}

interface TokenSource {
  readonly username: string;
  readonly password: string;
  readonly usable: boolean;
  /** One request at a time; never rejects. */
  refresh(): Promise<void>;
  onChange(client: Redis, listener: () => void): void;
  stop(): void;
}

function pollTokens(options: EntraRedisAuthOptions): TokenSource {
  const { clock, log, timing = usual } = options;
  const listeners = new Map<Redis, () => void>();
  const stopped = new AbortController();
  let current: AccessToken | undefined;
  let username = options.username ?? "";
  let failing = false;

  const take = async () => {
    const token = await options.getToken();
    if (token === null) throw new Fault("unavailable", "no token for Redis was issued");
    if (token.token === current?.token) return;
    username = options.username ?? objectId(token.token);
    current = token;
    for (const listener of listeners.values()) listener();
  };
  const refresh = oneAtATime(async () => {
    try {
      await take();
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ code: toFault(error).code }, "cannot get a token for Redis; trying again");
      failing = true;
    }
  });
  poll(refresh, clock, timing.poll, stopped.signal).catch(() => {});
  return {
    get username() {
      return username;
    },
    get password() {
      return current?.token ?? "";
    },
    get usable() {
      return current !== undefined && current.expiresOnTimestamp - clock.now() > timing.minLife;
    },
    refresh,
    onChange(client, listener) {
      listeners.set(client, listener);
      client.once("end", () => listeners.delete(client));
    },
    stop: () => stopped.abort(),
  };
}

/** Who asks while it is at work gets the same promise. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function poll(refresh: () => Promise<void>, clock: Clock, every: Millis, signal: AbortSignal) {
  while (!signal.aborted) {
    await refresh();
    await clock.sleep(every, signal).catch(() => {});
  }
}

/** Redis for Azure knows an identity by its object id. The token is not checked here: Redis does that. */
function objectId(token: string): string {
  const [, payload = ""] = token.split(".");
  try {
    return claims.parse(JSON.parse(Buffer.from(payload, "base64url").toString())).oid;
  } catch {
    throw new Fault("unexpected-response", "the token for Redis names no object id (claim `oid`)");
  }
}

function gate(source: TokenSource): EntraRedisAuth["Connector"] {
  return class GatedConnector extends AbstractConnector {
    readonly #options: RedisOptions;

    // ioredis hands over the client's own options object and reads user name and password from it at each connect.
    constructor(options: unknown) {
      if (!isOptions(options)) throw new TypeError("a connector is made by ioredis only");
      super(options.disconnectTimeout ?? 2000);
      this.#options = options;
      define(options, "username", () => source.username);
      define(options, "password", () => source.password);
    }

    override async connect(): Promise<net.Socket> {
      this.connecting = true;
      if (!source.usable) {
        await source.refresh();
        // A usable token now would be too late for this try: the password was read before we were called.
        return (this.stream = deadSocket());
      }
      const { host = "127.0.0.1", port = 6379 } = this.#options;
      const socket = this.#options.tls
        ? tls.connect({ host, port, servername: host, ...this.#options.tls })
        : net.connect({ host, port });
      socket.once("error", (error) => {
        this.firstError = error;
      });
      return (this.stream = socket);
    }
  };
}

function isOptions(options: unknown): options is RedisOptions {
  return typeof options === "object" && options !== null;
}

function define(options: RedisOptions, name: "username" | "password", get: () => string): void {
  // Copies of the options must not fail when they assign it.
  Object.defineProperty(options, name, { configurable: true, enumerable: true, get, set() {} });
}

function deadSocket(): net.Socket {
  const socket = new net.Socket();
  socket.on("error", () => {});
  socket.destroy();
  return socket;
}
