import { Redis } from "ioredis";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import type { JobContext, JobDefinitions, Outcome, RotateSecret } from "../../src/queue/contracts.ts";
import { RotateSecret as RotateSecretSchema } from "../../src/queue/contracts.ts";
import { type Enqueuer, createEnqueue } from "../../src/queue/enqueue.ts";
import { type RedisConnections, connectRedis } from "../../src/queue/redis.ts";
import { type Runtime, type RuntimeParts, startRuntime } from "../../src/queue/runtime.ts";
import { type RedisOptions, type RedisServer, startRedis } from "../support/redis.ts";

/** Shorter than a worker's, so that a test need not wait for a lock to run out. */
export const limits = { lock: 1000, stalledCheck: 200, concurrency: 5 };

export const secretJob = {
  vault: "prod-kv",
  name: "orders-db",
  trigger: "manual",
  mode: "routine",
  requestId: "q-1",
} as const;

export type RotateRun = (data: RotateSecret, context: JobContext) => Promise<Outcome>;

export interface Rig extends AsyncDisposable {
  readonly server: RedisServer;
  readonly redis: RedisConnections;
  readonly enqueue: Enqueuer["enqueue"];
  /** Lines of the log. */
  readonly lines: string[];
  /** Sees Redis as it is. */
  readonly raw: Redis;
  /** Starts workers that are stopped with the rig. */
  run(jobs: Partial<JobDefinitions>, parts?: Partial<RuntimeParts>): Runtime;
  /** Starts workers for `rotate-secret` only. */
  rotate(run: RotateRun, attempts?: number): Runtime;
  /** Another process's connections, as it were. */
  connect(): RedisConnections;
}

/** A Redis of its own and everything that is needed to run jobs on it. */
export async function startRig(options: RedisOptions = {}): Promise<Rig> {
  const server = await startRedis(options);
  const lines: string[] = [];
  const log = createLog("debug", { write: (line) => lines.push(line) });
  const connections: RedisConnections[] = [];
  const connect = () => {
    const redis = connectRedis({ url: server.url, log });
    connections.push(redis);
    return redis;
  };
  const redis = connect();
  const sender = createEnqueue({ redis, policy: "policy-1" });
  const { enqueue } = sender;
  const raw = new Redis(server.port, "127.0.0.1");
  raw.on("error", () => {});
  const runtimes: Runtime[] = [];
  const run: Rig["run"] = (jobs, parts) => {
    const runtime = startRuntime({
      redis,
      jobs,
      enqueue,
      log,
      worker: limits,
      clock: systemClock,
      backoff: { first: 20, longest: 100 },
      ...parts,
    });
    runtimes.push(runtime);
    return runtime;
  };
  return {
    server,
    redis,
    enqueue,
    lines,
    raw,
    run,
    connect,
    rotate: (work, attempts = 3) => run({ "rotate-secret": rotateJob(work, attempts) }),
    async [Symbol.asyncDispose]() {
      await Promise.all(runtimes.map((runtime) => runtime.close()));
      await sender.close();
      await Promise.all(connections.map((one) => one.close()));
      raw.disconnect();
      await server.stop();
    },
  };
}

export function rotateJob(run: RotateRun, attempts = 3): JobDefinitions["rotate-secret"] {
  return { stage: "rotate-secret", data: RotateSecretSchema, attempts, run };
}

/** Every key of Redis with everything in it, as text. */
export async function dump(raw: Redis): Promise<string> {
  const keys = await raw.keys("*");
  const parts = await Promise.all(keys.map((key) => raw.eval(readAnyKey, 1, key)));
  return keys.map((key, index) => `${key} ${JSON.stringify(parts[index])}`).join("\n");
}

/** In one step: a worker may put a key of another type in its place between two. */
const readAnyKey = `
  local read = {
    string = function(key) return redis.call("GET", key) end,
    hash = function(key) return redis.call("HGETALL", key) end,
    list = function(key) return redis.call("LRANGE", key, 0, -1) end,
    set = function(key) return redis.call("SMEMBERS", key) end,
    zset = function(key) return redis.call("ZRANGE", key, 0, -1) end,
    stream = function(key) return redis.call("XRANGE", key, "-", "+") end,
    none = function() return false end,
  }
  return read[redis.call("TYPE", KEYS[1]).ok](KEYS[1])`;

/** So short that a dead worker's job is taken over in about a second. */
export const killedLimits = { lock: 400, stalledCheck: 100, concurrency: 5 };
