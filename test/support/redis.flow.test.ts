import { Redis } from "ioredis";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { startRedis } from "./redis.ts";

test("a started Redis takes commands and is gone after stop", async () => {
  await using server = await startRedis();
  const client = connect(server.url);
  expect(await client.set("a", "1")).toBe("OK");
  expect(await client.config("GET", "maxmemory-policy")).toContain("noeviction");
  client.disconnect();
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

test("a killed Redis comes back on the same port, empty unless it keeps its data", async () => {
  await using forgetful = await startRedis();
  await using keeping = await startRedis({ keep: true });
  for (const server of [forgetful, keeping]) {
    await server.admin("SET", "a", "1");
    const before = server.pid;
    await server.kill();
    await server.restart();
    expect(server.pid).not.toBe(before);
  }
  expect(await forgetful.admin("GET", "a")).toBeNull();
  expect(await keeping.admin("GET", "a")).toBe("1");
});

test("with an ACL a user logs in with the password that was set last, and the default user not at all", async () => {
  const oid = "5f0c3a0e-0000-0000-0000-000000000001";
  await using server = await startRedis({ acl: ["user default off", `user ${oid} on ~* &* +@all`] });
  await server.setPassword(oid, "first");
  await server.setPassword(oid, "second");
  expect(await ping(server.port, { username: oid, password: "second" })).toBe("PONG");
  await expect(ping(server.port, { username: oid, password: "first" })).rejects.toThrow("WRONGPASS");
  await expect(ping(server.port, {})).rejects.toThrow("NOAUTH");
});

test("servers started together do not get in each other's way", async () => {
  const servers = await Promise.all(Array.from({ length: 5 }, () => startRedis()));
  expect(new Set(servers.map((server) => server.port)).size).toBe(5);
  await Promise.all(servers.map((server) => server.stop()));
});

test("a process that is killed takes its Redis with it", async () => {
  const program = `
    const { startRedis } = await import(${JSON.stringify(new URL("redis.ts", import.meta.url).href)});
    const server = await startRedis();
    console.log(JSON.stringify({ pid: server.pid, folder: (await server.admin("CONFIG", "GET", "dir"))[1] }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  const [line] = await once(createInterface(child.stdout), "line");
  const { pid, folder } = JSON.parse(String(line));
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  await expect.poll(() => isAlive(pid), { timeout: 60_000 }).toBe(false);
  await expect
    .poll(
      () =>
        access(folder).then(
          () => true,
          () => false,
        ),
      { timeout: 60_000 },
    )
    .toBe(false);
});

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: 0 });
}

async function ping(port: number, login: { username?: string; password?: string }): Promise<string> {
  const client = new Redis({ port, host: "127.0.0.1", ...login, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    return await client.ping();
  } finally {
    client.disconnect();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
