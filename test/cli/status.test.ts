import { expect, test } from "vitest";
import { key, now, run, version } from "./fake.ts";

test("a table has a row for each secret: state, age, expiry, and what comes next", async () => {
  const { code, out } = await run(["status"]);
  expect(code).toBe(0);
  expect(out.split("\n").map((line) => line.trimEnd())).toEqual([
    "SECRET               STATE  VERSION   AGE     EXPIRES  NEXT",
    "prod-kv/orders-db    ok     01234567  3h ago  in 29d   nothing to do until tomorrow",
    "prod-kv/session-key  ok     01234567  3h ago  in 29d   nothing to do until tomorrow",
  ]);
});

test("one secret can be asked for, however it was typed", async () => {
  const { out } = await run(["status", "Prod-KV/session-key"]);
  expect(out).toContain("prod-kv/session-key");
  expect(out).not.toContain(key);
});

test("a secret that the policy does not name is refused, with the names it has", async () => {
  const { code, err, out } = await run(["status", "prod-kv/nothing"]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("prod-kv/orders-db, prod-kv/session-key");
});

test("--json tells times as ISO 8601, and nothing where there is nothing", async () => {
  const { code, out } = await run(["status", key, "--json"], {
    statusOf: () => ({ expiresAt: undefined, state: "open", rotation: "r-1" }),
  });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual([
    {
      secret: key,
      rotator: "plain",
      version,
      state: "open",
      rotation: "r-1",
      next: "nothing to do until tomorrow",
      createdAt: new Date(now - 3 * 3_600_000).toISOString(),
      dueAt: new Date(now + 86_400_000).toISOString(),
    },
  ]);
});

test.each([
  ["ok", 0],
  ["open", 0],
  ["due", 3],
  ["needs-human", 3],
  ["unreachable", 3],
] as const)("one secret that is %s among others makes the exit code %i", async (state, expected) => {
  const statusOf = (secret: string) => (secret === key ? { state } : {});
  expect((await run(["status"], { statusOf })).code).toBe(expected);
  expect((await run(["status", "--json"], { statusOf })).code).toBe(expected);
});

test("what is not known is a dash, and a time that has passed is told so", async () => {
  const { out } = await run(["status", key], {
    statusOf: () => ({ version: undefined, createdAt: undefined, expiresAt: now - 61_000 }),
  });
  expect(out).toMatch(/ok +- +- +1m ago/);
});

test("states are coloured only where colours are wanted", async () => {
  const escape = String.fromCodePoint(27);
  expect((await run(["status"], { colour: false })).out).not.toContain(escape);
  expect((await run(["status"], { colour: true })).out).toContain(`${escape}[32mok`);
});
