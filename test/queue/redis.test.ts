import { expect, test } from "vitest";
import { createLog } from "../../src/log.ts";
import { connectRedis } from "../../src/queue/redis.ts";
import { freePort } from "../support/guarded-process.ts";
import { startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

const silent = createLog("silent");

test.each([
  ["no URL at all", "hunter2"],
  ["another protocol", "https://cache.example.net:10000"],
  ["a password", "rediss://:hunter2@cache.example.net:10000"],
  ["no TLS to another host", "redis://cache.example.net:10000"],
])("a URL with %s is refused without being quoted", (_what, url) => {
  const connect = () => connectRedis({ url, log: silent });
  expect(connect).toThrow(expect.objectContaining({ code: "invalid-config" }));
  expect(connect).not.toThrow(/hunter2/);
});

test("a Redis that is not there is no error, and is told once", async () => {
  const lines: string[] = [];
  const log = createLog("info", { write: (line) => lines.push(line) });
  const redis = connectRedis({ url: `redis://127.0.0.1:${await freePort()}`, log });
  await until("it was tried", () => redis.lastError());
  expect(redis.state()).toBe("unreachable");
  expect(redis.lastError()).toBe("ECONNREFUSED");
  await expect(redis.whenReady(1)).rejects.toMatchObject({ code: "unavailable" });
  await expect(redis.producer().ping()).rejects.toThrow(/enableOfflineQueue/);
  await redis.close();
  expect(lines.filter((line) => line.includes("unreachable"))).toHaveLength(1);
});

test("a Redis that may evict jobs is warned of, once", async () => {
  await using server = await startRedis();
  await server.admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  const lines: string[] = [];
  const log = createLog("info", { write: (line) => lines.push(line) });
  const redis = connectRedis({ url: server.url, log });
  await until("it is warned of", () => lines.some((line) => line.includes("allkeys-lru")));
  await server.admin("CLIENT", "KILL", "TYPE", "normal");
  await until("the loss is told", () => lines.some((line) => line.includes("reachable again")));
  await redis.close();
  expect(lines.filter((line) => line.includes("allkeys-lru"))).toHaveLength(1);
});

test("a copy of a connection is closed with it", async () => {
  await using server = await startRedis();
  const redis = connectRedis({ url: server.url, log: silent });
  const copy = redis.worker().duplicate({ connectionName: "copy" });
  expect(await copy.ping()).toBe("PONG");
  await redis.close();
  expect([copy.status, redis.worker().status, redis.producer().status]).toEqual(["end", "end", "end"]);
});
