import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { createLog } from "../../src/log.ts";
import { deadLetters } from "../../src/queue/dead-letters.ts";
import { createEnqueue } from "../../src/queue/enqueue.ts";
import type { AccessToken, GetToken } from "../../src/queue/entra-redis-auth.ts";
import { type RedisConnections, connectRedis } from "../../src/queue/redis.ts";
import { startRuntime } from "../../src/queue/runtime.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { limits, rotateJob, secretJob } from "./rig.ts";

const oid = "0f2c9d4e-0000-4000-8000-000000000001";
const timing = { poll: 50, minLife: 300 };

function jwt(claims: object): string {
  const [head, body] = [{ alg: "none" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return `${head}.${body}.signature`;
}

/** Issues tokens as Entra does: the next one is good before the last one expires. The server takes what is still good. */
class TokenIssuer {
  down = false;
  asked = 0;
  #count = 0;
  #good: AccessToken[] = [];
  readonly #server: RedisServer;
  readonly #lifetime: number;

  constructor(server: RedisServer, lifetime: number) {
    this.#server = server;
    this.#lifetime = lifetime;
  }

  /** The server takes a token before anybody has it. */
  async issue(): Promise<void> {
    const token = jwt({ oid, n: ++this.#count });
    await this.#accept([{ token, expiresOnTimestamp: Date.now() + this.#lifetime }, ...this.#good]);
  }

  /** Redis for Azure drops a connection when its token expires; here the password goes and the caller kills. */
  expire(): Promise<void> {
    return this.#accept(this.#good);
  }

  async #accept(tokens: AccessToken[]): Promise<void> {
    const good = tokens.filter(({ expiresOnTimestamp }) => expiresOnTimestamp > Date.now());
    await this.#server.setPassword(oid, ...good.map(({ token }) => token));
    this.#good = good;
  }

  get allExpired(): boolean {
    return this.#good.every(({ expiresOnTimestamp }) => expiresOnTimestamp <= Date.now());
  }

  getToken: GetToken = async () => {
    this.asked++;
    if (this.down) throw new Error("the token endpoint is down: Sup3rS3cret");
    return this.#good[0] ?? null;
  };
}

const acl = ["user default off", `user ${oid} on >none-yet ~* &* +@all`];
const silent = createLog("silent");

async function kill(server: RedisServer, share: "half" | "all"): Promise<void> {
  const list = String(await server.admin("CLIENT", "LIST"));
  const ids = list
    .split("\n")
    .flatMap((line) => (line.includes(`user=${oid}`) ? (/^id=(\d+)/.exec(line)?.[1] ?? []) : []));
  const chosen = share === "all" ? ids : ids.filter((_, index) => index % 2 === 0);
  await Promise.all(chosen.map((id) => server.admin("CLIENT", "KILL", "ID", id)));
}

test("no job is lost and none fails over token generations, killed sockets and a dead token endpoint", async () => {
  await using server = await startRedis({ acl });
  const issuer = new TokenIssuer(server, 2000);
  await issuer.issue();
  const connect = () =>
    connectRedis({ url: server.url, getToken: issuer.getToken, log: silent, clock: systemClock, timing });
  const processes = [connect(), connect(), connect()] as const;
  const [sender, ...workers] = processes;
  const enqueuer = createEnqueue({ redis: sender, policy: "policy-1" });
  const { enqueue } = enqueuer;
  const sent: string[] = [];
  const ran = new Map<string, number[]>();
  const runtimes = workers.map((redis) =>
    startRuntime({
      redis,
      jobs: {
        "rotate-secret": rotateJob(async ({ requestId }, context) => {
          ran.set(requestId, [...(ran.get(requestId) ?? []), context.attempt]);
          await context.progress({ step: "intent", text: "seen" });
          return { done: "ok" };
        }),
      },
      worker: limits,
      clock: systemClock,
      log: silent,
      enqueue,
    }),
  );
  const stop = new AbortController();
  const sending = send(enqueue, sent, stop.signal);
  const progress = (jobs: number) => {
    const before = ran.size;
    return until(`${jobs} more jobs ran`, () => ran.size >= before + jobs);
  };

  await progress(10);
  for (let generation = 0; generation < 3; generation++) {
    await issuer.issue();
    await kill(server, "half");
    await progress(20);
  }
  issuer.down = true;
  await kill(server, "half");
  await progress(10);
  await until("the last token has expired", () => issuer.allExpired);
  await issuer.expire();
  await kill(server, "all");
  await until("nobody is connected", () => processes.every((redis) => redis.state() === "unreachable"));
  const asked = issuer.asked;
  await until("tokens are asked for in vain", () => issuer.asked > asked + 20);
  issuer.down = false;
  await issuer.issue();
  await progress(20);
  stop.abort();
  await sending;

  await until("all that was sent ran", () => sent.every((requestId) => ran.has(requestId)));
  expect(new Set([...ran.values()].flat())).toEqual(new Set([1]));
  expect(await deadLetters(sender).list()).toEqual([]);
  expect(await server.admin("ACL", "LOG"), "log-ins with a bad token").toEqual([]);
  await Promise.all(runtimes.map((runtime) => runtime.close()));
  await enqueuer.close();
  await Promise.all(processes.map((redis: RedisConnections) => redis.close()));
});

async function send(
  enqueue: ReturnType<typeof createEnqueue>["enqueue"],
  sent: string[],
  signal: AbortSignal,
): Promise<void> {
  for (let count = 1; !signal.aborted; count++) {
    const requestId = `q-${count}`;
    // A sender that is told "unavailable" asks again, as intake does by leaving the message where it is.
    await until("it is taken", () =>
      enqueue("rotate-secret", { ...secretJob, requestId }).catch(() => undefined),
    );
    sent.push(requestId);
    await systemClock.sleep(15);
  }
}

test("an open connection is handed each new token before the old one expires", async () => {
  await using server = await startRedis({ acl });
  const issuer = new TokenIssuer(server, 60_000);
  await issuer.issue();
  const redis = connectRedis({ url: server.url, getToken: issuer.getToken, log: silent, timing });
  await redis.whenReady(60_000);
  const copy = redis.worker().duplicate();
  await copy.ping();
  const auths = async () =>
    Number(/cmdstat_auth:calls=(\d+)/.exec(String(await server.admin("INFO", "commandstats")))?.[1] ?? 0);
  const before = await auths();
  await issuer.issue();
  await until("all three were handed it", async () => (await auths()) === before + 3);
  await redis.close();
});

test("a token without an object id is of no use, and neither it nor the source's error is told", async () => {
  await using server = await startRedis({ acl });
  const lines: string[] = [];
  const log = createLog("debug", { write: (line) => lines.push(line) });
  const expiresOnTimestamp = Date.now() + 60_000;
  const answers = [jwt({ sub: "Sup3rS3cret" }), "Sup3rS3cret"];
  const redis = connectRedis({
    url: server.url,
    getToken: async () => ({ token: answers.shift() ?? "Sup3rS3cret", expiresOnTimestamp }),
    log,
    timing,
  });
  await until("it is told", () => lines.some((line) => line.includes("unexpected-response")));
  expect(redis.state()).toBe("unreachable");
  await redis.close();
  expect(lines.join()).not.toContain("Sup3rS3cret");
});

test("a Redis that does not know the identity yet is tried again until it does", async () => {
  await using server = await startRedis({ acl });
  const token = jwt({ oid });
  const getToken: GetToken = async () => ({ token, expiresOnTimestamp: Date.now() + 60_000 });
  const redis = connectRedis({ url: server.url, getToken, log: silent, timing });
  await until("it was refused", () => redis.lastError() === "WRONGPASS");
  await server.setPassword(oid, token);
  await until("it is let in", () => redis.state() === "ready");
  await redis.close();
});
