import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nativePasswordHash } from "../../src/providers/mysql/password-hash.ts";
import { cryptoRandomInt } from "../../src/providers/password/generate.ts";
import { mariadbUser } from "../../src/rotators/mariadb-user.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { describeRotator, leakOf } from "../support/describe-rotator.ts";
import { type MariaDbWithProvider, startMariaDbWithProvider } from "../support/mariadb-provider.ts";
import { providersWith } from "../support/providers.ts";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

let world: MariaDbWithProvider;
let turn = 0;

beforeAll(async () => {
  world = await startMariaDbWithProvider();
});

afterAll(() => world[Symbol.asyncDispose]());

async function targetWith(count: number): Promise<Record<string, unknown>> {
  turn += 1;
  const users = ["a", "b"].slice(0, count).map((slot) => `orders_${turn}_${slot}`);
  for (const user of users) await world.server.createUser(user);
  return { ...world.address, admin: world.admin, users };
}

async function written(): Promise<string> {
  const spans = exporter.getFinishedSpans().map((span) => inspect(span, { depth: 6 }));
  return [await world.server.generalLog(), ...spans].join("\n");
}

function providers() {
  return providersWith({ mariadb: world.mariadb() });
}

function context() {
  return { providers: providers(), now: Date.now(), signal: new AbortController().signal };
}

/** A target of one account, and a password that was chosen and set for it. */
async function applied() {
  const target = await targetWith(1);
  const bound = mariadbUser.on(target);
  const credential = bound.choose(bound.slots[0] ?? "", cryptoRandomInt);
  await bound.apply(credential, context());
  return { bound, credential };
}

for (const count of [1, 2])
  describeRotator(`mariadb-user with ${count} account(s)`, {
    rotator: mariadbUser,
    target: () => targetWith(count),
    providers,
    written,
  });

describe("mariadb-user", () => {
  test("the server's log shows the statements but no password, even if the statement fails", async () => {
    const { bound, credential } = await applied();
    const before = (await world.server.generalLog()).length;
    await world.server.sql("DROP USER ?@'%'", [credential.id]);
    await expect(bound.apply(credential, context())).rejects.toMatchObject({ code: "target-missing" });
    const log = await world.server.generalLog();
    const hash = nativePasswordHash(credential.value).reveal();
    expect(log).toContain(
      `ALTER USER '${credential.id}'@'%' IDENTIFIED VIA mysql_native_password USING '${hash}' ACCOUNT UNLOCK`,
    );
    expect(log.slice(before)).toContain("FROM mysql.user");
    expect(leakOf(credential.value, log)).toBeUndefined();
    expect(leakOf(new SecretValue(world.adminPassword), log)).toBeUndefined();
  });

  test("the leak check finds a password that is in the log", async () => {
    const planted = new SecretValue("planted-plain-text-password");
    await world.server.sql(`SELECT '${planted.reveal()}'`);
    expect(leakOf(planted, await written())).toBe("planted-");
  });

  test("each operation is one client span with server and account, without SQL", async () => {
    const { bound, credential } = await applied();
    exporter.reset();
    await bound.apply(credential, context());
    await bound.verify(credential, context());
    await bound.revoke(credential.id, context());
    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => span.name)).toEqual([
      "MariaDb.setPassword",
      "MariaDb.accepts",
      "MariaDb.lock",
    ]);
    for (const span of spans)
      expect(span.attributes).toEqual({
        "db.system.name": "mariadb",
        "db.namespace": "orders",
        "server.address": "localhost",
        "server.port": world.server.port,
        "keyturn.credential": credential.id,
      });
  });

  test("an account that somebody locked is refused although its password is right", async () => {
    const { bound, credential } = await applied();
    await world.server.sql("ALTER USER ?@'%' ACCOUNT LOCK", [credential.id]);
    expect(await bound.observe([credential], context())).toEqual({
      exists: [credential.id],
      accepts: ["rejected"],
    });
    await expect(bound.verify(credential, context())).rejects.toMatchObject({ code: "credential-rejected" });
  });

  test("retiring leaves no password that would work again if somebody unlocked the account", async () => {
    const { bound, credential } = await applied();
    await bound.revoke(credential.id, context());
    await world.server.sql("ALTER USER ?@'%' ACCOUNT UNLOCK", [credential.id]);
    expect((await bound.observe([credential], context())).accepts).toEqual(["rejected"]);
  });

  test("looking tells which accounts exist; verifying a missing one says how to create it", async () => {
    const target = { ...(await targetWith(1)), users: ["orders_gone"] };
    const bound = mariadbUser.on(target);
    const credential = bound.choose("orders_gone", cryptoRandomInt);
    expect(await bound.observe([credential], context())).toEqual({ exists: [], accepts: ["rejected"] });
    await expect(bound.verify(credential, context())).rejects.toMatchObject({
      code: "target-missing",
      message: expect.stringContaining("CREATE USER 'orders_gone'@'%'"),
    });
    await expect(bound.revoke("orders_gone", context())).resolves.toBeUndefined();
  });

  test("retiring ends the sessions of the account if the target says so, and nobody else's", async () => {
    const target = { ...(await targetWith(2)), endSessions: true };
    const bound = mariadbUser.on(target);
    const [outgoing, incoming] = bound.slots.map((slot) => bound.choose(slot, cryptoRandomInt));
    if (!outgoing || !incoming) throw new Error("two accounts are two slots");
    for (const credential of [outgoing, incoming]) await bound.apply(credential, context());
    const old = await world.openSession(outgoing.id, outgoing.value.reveal());
    const other = await world.openSession(incoming.id, incoming.value.reveal());
    const ended = new Promise((resolve) => {
      old.once("end", resolve);
    });
    await bound.revoke(outgoing.id, context());
    await ended;
    expect(await other.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await other.end();
  });
});
