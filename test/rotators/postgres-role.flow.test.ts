import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cryptoRandomInt } from "../../src/providers/password/generate.ts";
import { postgresRole } from "../../src/rotators/postgres-role.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { describeRotator, leakOf } from "../support/describe-rotator.ts";
import { providersWith } from "../support/providers.ts";
import { type PostgresWithProvider, startPostgresWithProvider } from "../support/postgres-provider.ts";

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);

let world: PostgresWithProvider;
let turn = 0;

beforeAll(async () => {
  world = await startPostgresWithProvider();
});

afterAll(() => world[Symbol.asyncDispose]());

async function targetWith(count: number): Promise<Record<string, unknown>> {
  turn += 1;
  const roles = ["a", "b"].slice(0, count).map((slot) => `orders_${turn}_${slot}`);
  for (const role of roles) await world.server.createRole(role);
  return { ...world.address, admin: world.admin, roles };
}

async function written(): Promise<string> {
  const spans = exporter.getFinishedSpans().map((span) => inspect(span, { depth: 6 }));
  return [await world.server.log(), ...spans].join("\n");
}

function providers() {
  return providersWith({ postgres: world.postgres() });
}

function context() {
  return { providers: providers(), now: Date.now(), signal: new AbortController().signal };
}

for (const count of [1, 2])
  describeRotator(`postgres-role with ${count} role(s)`, {
    rotator: postgresRole,
    target: () => targetWith(count),
    providers,
    written,
  });

describe("postgres-role", () => {
  test("the server's log shows the statements but no password, even if the statement fails", async () => {
    const target = await targetWith(1);
    const bound = postgresRole.on(target);
    const credential = bound.choose(bound.slots[0] ?? "", cryptoRandomInt);
    await bound.apply(credential, context());
    const before = (await world.server.log()).length;
    await world.server.sql(`DROP ROLE ${credential.id}`);
    await expect(bound.apply(credential, context())).rejects.toMatchObject({ code: "target-missing" });
    const log = await world.server.log();
    expect(log).toContain(`ALTER ROLE "${credential.id}" LOGIN PASSWORD 'SCRAM-SHA-256$4096:`);
    expect(log.slice(before)).toContain(`role "${credential.id}" does not exist`);
    expect(leakOf(credential.value, log)).toBeUndefined();
    expect(leakOf(new SecretValue(world.adminPassword), log)).toBeUndefined();
  });

  test("the leak check finds a password that is in the log", async () => {
    const planted = new SecretValue("planted-plain-text-password");
    await world.server.sql(`CREATE ROLE careless PASSWORD '${planted.reveal()}'`);
    expect(leakOf(planted, await written())).toBe("planted-");
  });

  test("each operation is one client span with server and role, without SQL", async () => {
    const bound = postgresRole.on(await targetWith(1));
    const credential = bound.choose(bound.slots[0] ?? "", cryptoRandomInt);
    exporter.reset();
    await bound.apply(credential, context());
    await bound.verify(credential, context());
    await bound.revoke(credential.id, context());
    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => span.name)).toEqual([
      "Postgres.setPassword",
      "Postgres.accepts",
      "Postgres.disableRole",
    ]);
    for (const span of spans)
      expect(span.attributes).toEqual({
        "db.system.name": "postgresql",
        "db.namespace": "postgres",
        "server.address": "localhost",
        "server.port": world.server.port,
        "keyturn.credential": credential.id,
      });
  });

  test("looking tells which roles exist; verifying a missing one says how to create it", async () => {
    const target = { ...(await targetWith(1)), roles: ["orders_gone"] };
    const bound = postgresRole.on(target);
    const credential = bound.choose("orders_gone", cryptoRandomInt);
    expect(await bound.observe([credential], context())).toEqual({ exists: [], accepts: ["rejected"] });
    await expect(bound.verify(credential, context())).rejects.toMatchObject({
      code: "target-missing",
      message: expect.stringContaining('CREATE ROLE "orders_gone" LOGIN'),
    });
    await expect(bound.revoke("orders_gone", context())).resolves.toBeUndefined();
  });

  test("retiring ends the sessions of the role if the target says so", async () => {
    const target = { ...(await targetWith(2)), endSessions: true };
    const bound = postgresRole.on(target);
    const [slot = ""] = bound.slots;
    const credential = bound.choose(slot, cryptoRandomInt);
    await bound.apply(credential, context());
    await bound.revoke(slot, context());
    expect((await world.server.log()).slice(-2000)).toContain("pg_terminate_backend");
  });
});
