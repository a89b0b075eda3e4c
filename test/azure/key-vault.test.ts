import { RestError } from "@azure/core-rest-pipeline";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createVaults } from "../../src/azure/key-vault.ts";
import { isFault, type Fault } from "../../src/errors.ts";
import { SecretValue } from "../../src/secret-value.ts";
import type { FaultRule } from "../local-azure/state.ts";
import { vaultInMemory, type VaultInMemory } from "./vault-in-memory.ts";

const value = new SecretValue("a-value-nobody-else-has");
const expiresAt = Date.parse("2027-03-01T00:00:00Z");

function play(world: VaultInMemory, rule: Partial<FaultRule>): void {
  world.state.faults.push({
    id: "f",
    service: "key-vault",
    match: ".",
    position: "before",
    times: 1,
    ...rule,
  });
}

function puts(world: VaultInMemory) {
  return world.requests.filter(({ call }) => call.startsWith("PUT"));
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isFault(error)) throw new Error(`expected a fault, got ${inspect(error)}`);
  return error;
}

describe("Key Vault adapter", () => {
  it("publishes value, dates, type and tags in one write and reads them back", async () => {
    const { vault } = await vaultInMemory();
    const notBefore = expiresAt - 90 * 86_400_000;
    const version = {
      value,
      expiresAt,
      notBefore,
      contentType: "text/plain",
      tags: { "keyturn-from": "v0" },
    };
    const published = await vault.publish("orders-db", version);
    const latest = await vault.latest("orders-db");
    expect(latest).toMatchObject({ ...published, value: expect.anything() });
    expect(published).toMatchObject({ name: "orders-db", enabled: true, expiresAt, notBefore });
    expect(published).toMatchObject({ contentType: "text/plain", tags: { "keyturn-from": "v0" } });
    expect(latest?.value.equals(value)).toBe(true);
    expect(Math.abs(published.createdAt - Date.now())).toBeLessThan(60_000);
  });

  it("reads a version by its id, and lists all of them", async () => {
    const { vault } = await vaultInMemory();
    const first = await vault.publish("a", { value: new SecretValue("one"), tags: {} });
    const second = await vault.publish("a", { value: new SecretValue("two"), tags: {} });
    expect((await vault.get("a", first.version))?.value.reveal()).toBe("one");
    expect((await vault.latest("a"))?.version).toBe(second.version);
    const listed = (await vault.versions("a")).map(({ version }) => version);
    expect(listed.toSorted()).toEqual([first.version, second.version].toSorted());
  });

  it("takes a missing secret or version as undefined, and its versions as none", async () => {
    const { vault } = await vaultInMemory();
    expect(await vault.latest("nothing")).toBeUndefined();
    expect(await vault.get("nothing", "0".repeat(32))).toBeUndefined();
    expect(await vault.versions("nothing")).toEqual([]);
  });

  it("does not take a 404 of somebody in between for a missing secret", async () => {
    const world = await vaultInMemory();
    world.intercept = async () => new Response("<html>gateway</html>", { status: 404 });
    expect((await faultOf(world.vault.latest("a"))).code).toBe("not-found");
  });

  it("lists every secret of a vault, page by page", async () => {
    const { vault } = await vaultInMemory();
    const names = Array.from({ length: 60 }, (_, index) => `s${String(index).padStart(2, "0")}`);
    for (const name of names) await vault.publish(name, { value, expiresAt, tags: { name } });
    const listed: string[] = [];
    for await (const secret of vault.list()) {
      listed.push(secret.name);
      expect(secret).toMatchObject({ enabled: true, expiresAt, tags: { name: secret.name } });
      expect(secret).not.toHaveProperty("version");
    }
    expect(listed.toSorted()).toEqual(names);
  });

  it("disables a version without touching its tags, and replaces tags when given", async () => {
    const { vault } = await vaultInMemory();
    const { version } = await vault.publish("a", { value, tags: { one: "1" } });
    expect(await vault.update("a", version, { enabled: false })).toMatchObject({
      enabled: false,
      tags: { one: "1" },
    });
    expect((await vault.update("a", version, { tags: { two: "2" } })).tags).toEqual({ two: "2" });
    expect((await faultOf(vault.latest("a"))).code).toBe("secret-disabled");
    expect((await faultOf(vault.get("a", version))).code).toBe("secret-disabled");
  });

  it("never repeats a write whose answer was lost", async () => {
    const world = await vaultInMemory();
    play(world, { match: "^PUT", position: "lost" });
    const fault = await faultOf(world.vault.publish("a", { value, tags: {} }));
    expect(fault).toMatchObject({ code: "unavailable", secret: "prod-kv/a" });
    expect(puts(world)).toHaveLength(1);
    expect(await world.vault.versions("a")).toHaveLength(1);
  });

  it("repeats a read whose answer was lost", async () => {
    const world = await vaultInMemory();
    await world.vault.publish("a", { value, tags: {} });
    let cuts = 0;
    world.intercept = async ({ method }) => {
      if (method === "GET" && cuts++ === 0) throw new RestError("socket hang up", { code: "ECONNRESET" });
      return undefined;
    };
    expect((await world.vault.latest("a"))?.value.equals(value)).toBe(true);
    expect(cuts).toBeGreaterThan(1);
  });

  it("never sends a value before the vault has proven who it is, however many writes come first", async () => {
    const world = await vaultInMemory();
    await Promise.all(["a", "b", "c", "d"].map((name) => world.vault.publish(name, { value, tags: {} })));
    expect(puts(world)).toHaveLength(4);
    for (const put of world.requests.filter(({ authorized }) => !authorized)) expect(put.body).toBe("");
    expect(puts(world).every(({ authorized }) => authorized)).toBe(true);
  });

  it("sends nothing when the first contact fails, and tries again at the next write", async () => {
    const world = await vaultInMemory();
    play(world, { match: "^GET /secrets$", status: 503 });
    expect((await faultOf(world.vault.publish("a", { value, tags: {} }))).code).toBe("unavailable");
    expect(puts(world)).toEqual([]);
    expect(await world.vault.publish("a", { value, tags: {} })).toMatchObject({ name: "a" });
  });

  it("follows no redirect", async () => {
    const world = await vaultInMemory();
    const location = "https://prod-kv.vault.azure.net/secrets/elsewhere";
    world.intercept = async ({ method }) =>
      method === "PUT" ? new Response(null, { status: 307, headers: { location } }) : undefined;
    expect((await faultOf(world.vault.publish("a", { value, tags: {} }))).code).toBe("unexpected-response");
    expect(puts(world)).toHaveLength(1);
  });

  it("gives its token to no host that the challenge does not belong to", async () => {
    const world = await vaultInMemory();
    const challenge =
      'Bearer authorization="https://login.microsoftonline.com/t", resource="https://evil.test"';
    world.intercept = async () =>
      Response.json({ error: {} }, { status: 401, headers: { "www-authenticate": challenge } });
    expect((await faultOf(world.vault.latest("a"))).code).toBe("unexpected-response");
    expect(world.requests.some(({ authorized }) => authorized)).toBe(false);
  });

  it("obeys a short Retry-After and hands a long one to the queue", async () => {
    const world = await vaultInMemory();
    await world.vault.publish("a", { value, tags: {} });
    play(world, { match: "^GET", status: 429, retryAfter: 0 });
    expect((await world.vault.latest("a"))?.name).toBe("a");
    play(world, { match: "^GET", status: 429, retryAfter: 3600 });
    expect(await faultOf(world.vault.latest("a"))).toMatchObject({
      code: "throttled",
      retryAfter: 3_600_000,
    });
  });

  it.each([
    [503, "unavailable"],
    [429, "throttled"],
    [409, "conflict"],
    [400, "unexpected-response"],
  ])("reports status %i of a write as %s, whatever the body", async (status, code) => {
    const bodies = ["", "{}", '{"error":null}', "<html>", '{"error":{"code":"X","message":"m"}}'];
    for (const body of bodies)
      for (const type of ["application/json", "text/html"]) {
        const world = await vaultInMemory();
        world.intercept = async ({ method }) =>
          method === "PUT" ? new Response(body, { status, headers: { "content-type": type } }) : undefined;
        const fault = await faultOf(world.vault.publish("a", { value, tags: {} }));
        expect([body, type, fault.code]).toEqual([body, type, code]);
      }
  });

  it("leaks no value that the server quotes in its error", async () => {
    const world = await vaultInMemory();
    world.intercept = async (request) => {
      if (request.method !== "PUT") return undefined;
      const message = `cannot store ${await request.clone().text()}`;
      return Response.json({ error: { code: "BadParameter", message } }, { status: 400 });
    };
    const fault = await faultOf(world.vault.publish("a", { value, tags: {} }));
    const seen = inspect(fault, { depth: 20, showHidden: true }) + JSON.stringify(fault) + fault.stack;
    expect(seen).not.toContain(value.reveal());
    expect(puts(world)[0]?.body).toContain(value.reveal());
  });

  it("tells who may not read", async () => {
    const { vault } = await vaultInMemory("Key Vault Reader");
    const fault = await faultOf(vault.publish("a", { value, tags: {} }));
    expect(fault.code).toBe("forbidden");
    expect(fault.message).toContain("ForbiddenByRbac");
  });

  it("tells an abort of the caller from a failure", async () => {
    const world = await vaultInMemory();
    const abort = new AbortController();
    world.intercept = async () => {
      abort.abort();
      return new Promise(() => undefined);
    };
    expect((await faultOf(world.vault.latest("a", abort.signal))).code).toBe("cancelled");
  });

  it("refuses a date that the SDK would turn into one of the past", async () => {
    const world = await vaultInMemory();
    const version = { value, expiresAt: Date.parse("2039-01-01T00:00:00Z"), tags: {} };
    expect((await faultOf(world.vault.publish("a", version))).code).toBe("not-supported");
    expect(world.requests).toEqual([]);
  });

  it("tells the scrubber of every value it reads or writes", async () => {
    const world = await vaultInMemory();
    const learnt: string[] = [];
    const vault = world.connect({ learn: (learned) => void learnt.push(learned.reveal()) });
    await vault.publish("a", { value, tags: {} });
    await vault.latest("a");
    expect(learnt).toEqual([value.reveal(), value.reveal()]);
  });

  it("makes one adapter for each vault of the policy", async () => {
    const credential = { getToken: async () => null };
    const vaults = createVaults([{ name: "a-kv", url: "https://a-kv.vault.azure.net" }], {
      credential,
      verifyChallenge: true,
    });
    expect([...vaults.keys()]).toEqual(["a-kv"]);
  });
});
