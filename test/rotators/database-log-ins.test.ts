import { expect, test } from "vitest";
import { z } from "zod";
import { Fault } from "../../src/errors.ts";
import { defineLogInRotator, type LogIns, pairOf } from "../../src/rotators/database-log-ins.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { providersWith } from "../support/providers.ts";

const address = { host: "db.example.org", port: 1, database: "orders" };

/** A server that keeps its log-ins in a map. */
function serverWith(passwords: Record<string, string | undefined>): LogIns {
  return {
    accepts: async (_address, name, password) => passwords[name] === password.reveal(),
    find: async (_address, _admin, names) =>
      new Map(
        names
          .filter((name) => name in passwords)
          .map((name) => [name, { login: passwords[name] !== undefined }]),
      ),
    async setPassword(_address, _admin, name, password) {
      passwords[name] = password.reveal();
    },
    async disable(_address, _admin, name) {
      if (!(name in passwords)) throw new Fault("target-missing", "gone");
      passwords[name] = undefined;
    },
    missing: (_address, _admin, name) => new Fault("target-missing", `create ${name}`),
  };
}

function boundTo(server: LogIns, names: readonly string[]) {
  const Target = z.strictObject({
    host: z.string(),
    port: z.int(),
    database: z.string(),
    admin: z.string(),
    names: pairOf(z.string(), "account"),
    endSessions: z.boolean(),
  });
  return defineLogInRotator<z.infer<typeof Target>>({
    id: "test-log-in",
    summary: "",
    target: Target,
    roles: [],
    noun: "account",
    scheme: "test",
    names: (target) => target.names,
    logIns: () => server,
  }).on({ ...address, admin: "keyturn", names, endSessions: false });
}

const context = { providers: providersWith({}), now: 0, signal: new AbortController().signal };

function credential(id: string, text: string) {
  return { id, value: new SecretValue(text) };
}

test("a log-in that may not log in is refused without trying; one that is not of the target is unknown", async () => {
  const server = serverWith({ a: "right", b: undefined });
  const bound = boundTo({ ...server, accepts: async (_address, name) => name === "a" }, ["a", "b"]);
  const known = [credential("a", "right"), credential("b", "any"), credential("c", "any")];
  expect(await bound.observe(known, context)).toEqual({
    exists: ["a", "b"],
    accepts: ["accepted", "rejected", "unknown"],
  });
});

test("a refused password is rejected; a log-in that does not exist is missing, with what creates it", async () => {
  const bound = boundTo(serverWith({ a: "right" }), ["a", "b"]);
  await expect(bound.verify(credential("a", "wrong"), context)).rejects.toMatchObject({
    code: "credential-rejected",
  });
  await expect(bound.verify(credential("b", "any"), context)).rejects.toMatchObject({
    code: "target-missing",
    message: "create b",
  });
});

test("retiring a log-in that is gone is success; every other failure is told", async () => {
  const server = serverWith({});
  await expect(boundTo(server, ["a"]).revoke("a", context)).resolves.toBeUndefined();
  const down: LogIns = {
    ...server,
    disable: () => Promise.reject(new Fault("unavailable", "down")),
  };
  await expect(boundTo(down, ["a"]).revoke("a", context)).rejects.toMatchObject({ code: "unavailable" });
});

test("log-ins that take turns are one or two, and differ", () => {
  const pair = pairOf(z.string(), "account");
  expect(pair.safeParse(["a", "b"]).success).toBe(true);
  for (const names of [[], ["a", "a"], ["a", "b", "c"]]) expect(pair.safeParse(names).success).toBe(false);
});
