import { describe, expect, test } from "vitest";
import type { ResourceManager } from "../../src/azure/resource-manager.ts";
import { toFault } from "../../src/errors.ts";
import type { HttpService } from "../local-azure/state.ts";
import { type KeysInMemory, keysInMemory } from "../support/keys-in-memory.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const apiVersion = "2026-04-01";
const host = "management.azure.com";
const id = "/subscriptions/s/resourceGroups/data/providers/Microsoft.Storage/storageAccounts/orders";

/** Answers in place of Resource Manager, one after the other; the last one for ever. */
async function scripted(answers: readonly Answer[], options: Parameters<typeof keysInMemory>[0] = {}) {
  const world = await keysInMemory(options);
  const left = [...answers];
  const service: HttpService = async () => {
    const { status = 200, body, headers = {} } = (left.length > 1 ? left.shift() : left[0]) ?? {};
    return new Response(typeof body === "string" ? body : body && JSON.stringify(body), { status, headers });
  };
  world.route(host, service);
  return world;
}

interface Answer {
  readonly status?: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

const list = (manager: ResourceManager, signal?: AbortSignal) =>
  manager.post(id, "listKeys", { apiVersion, reads: true }, signal);
const regenerate = (manager: ResourceManager, signal?: AbortSignal) =>
  manager.post(id, "regenerateKey", { apiVersion, body: { keyName: "key1" } }, signal);

function asked({ sent }: KeysInMemory): string[] {
  return sent.map(({ method, url }) => `${method} ${new URL(url).pathname.split("/").at(-1)}`);
}

describe("calls", () => {
  test("carry a token for Resource Manager, the api-version and a JSON body", async () => {
    await using world = await scripted([{ body: { keys: [] } }]);
    expect(await regenerate(world.resourceManager)).toEqual({ keys: [] });
    const [request] = world.sent;
    expect(request?.url).toBe(`https://${host}${id}/regenerateKey?api-version=${apiVersion}`);
    expect(await request?.json()).toEqual({ keyName: "key1" });
    const claims = await world.tokens.verify(request?.headers.get("authorization")?.split(" ")[1] ?? "", [
      `https://${host}`,
    ]);
    expect(claims.oid).toBe(world.identity.principalId);
  });

  test("that read are tried again, those that change something are sent once", async () => {
    const answers = [{ status: 503 }, { status: 429, headers: { "retry-after": "0" } }, { body: {} }];
    await using reads = await scripted(answers);
    expect(await list(reads.resourceManager)).toEqual({});
    expect(reads.sent).toHaveLength(3);
    await using writes = await scripted(answers);
    await expect(regenerate(writes.resourceManager)).rejects.toMatchObject({ code: "unavailable" });
    expect(writes.sent).toHaveLength(1);
  });

  test("that change something are sent once even when no answer comes", async () => {
    await using world = await keysInMemory();
    const resource = world.add("Microsoft.Storage/storageAccounts/orders");
    world.addFault({ match: "regenerateKey", position: "lost" });
    const call = world.resourceManager.post(resource.id, "regenerateKey", {
      apiVersion,
      body: { keyName: "key1" },
    });
    await expect(call).rejects.toMatchObject({ code: "unavailable", kind: "retriable" });
    expect(resource.regenerations).toBe(1);
  });

  test("that are throttled for long end at once and carry the wish", async () => {
    for (const call of [list, regenerate]) {
      await using world = await scripted([{ status: 429, headers: { "retry-after": "77" } }]);
      await expect(call(world.resourceManager)).rejects.toMatchObject({
        code: "throttled",
        retryAfter: 77_000,
      });
      expect(world.sent).toHaveLength(1);
    }
  });

  test("follow no redirect: the token stays at home", async () => {
    for (const location of ["https://elsewhere.example.org/", `https://${host}/elsewhere`]) {
      await using world = await scripted([{ status: 307, headers: { location } }]);
      await expect(list(world.resourceManager)).rejects.toMatchObject({ code: "unexpected-response" });
      expect(asked(world)).toEqual(["POST listKeys"]);
    }
  });

  test("stop with the signal, before and while they are under way", async () => {
    await using world = await scripted([{}]);
    const stop = AbortSignal.abort(new Error("a reason of its own"));
    await expect(regenerate(world.resourceManager, stop)).rejects.toMatchObject({ code: "cancelled" });
    expect(world.sent).toHaveLength(0);
    const controller = new AbortController();
    world.route(host, async () => {
      controller.abort();
      return await new Promise<Response>(() => {});
    });
    await expect(regenerate(world.resourceManager, controller.signal)).rejects.toMatchObject({
      code: "cancelled",
    });
  });

  test.each([
    "",
    "/",
    "/a/../b",
    "/a//b",
    "/a/.",
    "/a?b",
    "/a/%2e%2e/b",
    "a/b",
    "/a#b",
    "/a\\b",
    "https://x.org/a",
  ])("on %j are refused, since it is no id", async (wrong) => {
    await using world = await scripted([{}]);
    const call = world.resourceManager.get(wrong, { apiVersion });
    await expect(call).rejects.toMatchObject({ code: "invalid-config" });
    expect(world.sent).toHaveLength(0);
  });
});

describe("faults", () => {
  const error = (code: string) => ({ error: { code, message: "quotes Canary-7f3a9b2c" } });

  test.each([
    [{ status: 401, body: error("InvalidAuthenticationToken") }, "unauthenticated"],
    [{ status: 403, body: error("AuthorizationFailed") }, "forbidden"],
    [{ status: 404, body: error("ResourceNotFound") }, "not-found"],
    [{ status: 400, body: { code: "BadRequest", message: "Canary-7f3a9b2c" } }, "unexpected-response"],
    [{ status: 409, body: error("AnotherOperationInProgress") }, "unavailable"],
    [{ status: 412, body: { code: "PreconditionFailed", message: "busy" } }, "unavailable"],
    [{ status: 409, body: error("ScopeLocked") }, "conflict"],
    [{ status: 500, body: "<html>Canary-7f3a9b2c</html>" }, "unavailable"],
    [{ status: 200, body: "<html>Canary-7f3a9b2c</html>" }, "unexpected-response"],
  ] as const)("%j is %s, without the server's text", async (answer, code) => {
    await using world = await scripted([answer]);
    const fault = toFault(await regenerate(world.resourceManager).catch((thrown: unknown) => thrown));
    expect(fault.code).toBe(code);
    expect(fault.message).toContain("regenerateKey");
    const told = [fault.message, fault.stack, JSON.stringify(fault), JSON.stringify(fault.cause)].join("\n");
    expect(told).not.toContain("Canary");
  });

  test("a 409 hands on how long to wait", async () => {
    const answer = { status: 409, body: error("Busy"), headers: { "retry-after": "7" } };
    await using world = await scripted([answer]);
    await expect(regenerate(world.resourceManager)).rejects.toMatchObject({ retryAfter: 7_000 });
  });
});

describe("an operation that Azure finishes later", () => {
  const at = (path: string) => `https://${host}/operations/${path}`;
  const accepted = (headers: Readonly<Record<string, string>>): Answer => ({
    status: 202,
    headers: { "retry-after": "0", ...headers },
  });

  test("is followed by its status, whatever its answer", async () => {
    const headers = { "azure-asyncoperation": at("status"), location: at("result") };
    await using world = await scripted([
      accepted(headers),
      { body: { status: "Accepted" } },
      { body: { status: "Succeeded", properties: { primaryKey: "x" } } },
    ]);
    expect(await regenerate(world.resourceManager)).toBeUndefined();
    expect(asked(world)).toEqual(["POST regenerateKey", "GET status", "GET status"]);
  });

  test("is followed by its location, to the answer", async () => {
    const later = accepted({ location: "/operations/result" });
    await using world = await scripted([later, later, { body: { primaryKey: "x" } }]);
    expect(await regenerate(world.resourceManager)).toEqual({ primaryKey: "x" });
    expect(asked(world)).toEqual(["POST regenerateKey", "GET result", "GET result"]);
  });

  test.each(["Failed", "Canceled"])("that ends as %s may be tried again", async (status) => {
    const headers = { "azure-asyncoperation": at("status") };
    await using world = await scripted([accepted(headers), { body: { status } }]);
    await expect(regenerate(world.resourceManager)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("of which Azure has lost track may be tried again: the resource is not gone", async () => {
    await using world = await scripted([accepted({ location: at("result") }), { status: 404 }]);
    await expect(regenerate(world.resourceManager)).rejects.toMatchObject({ code: "unavailable" });
  });

  test.each([
    "elsewhere.example.org",
    `${host}.example.org`,
    `${host}:8443`,
    `${host}:x@elsewhere.example.org`,
  ])("is not followed to another host: %s", async (other) => {
    const headers = { "azure-asyncoperation": `https://${other}/status` };
    await using world = await scripted([accepted(headers), { body: { status: "Succeeded" } }]);
    world.route(other.split("@").at(-1) ?? "", async () => Response.json({ status: "Succeeded" }));
    await expect(regenerate(world.resourceManager)).rejects.toMatchObject({ code: "unexpected-response" });
    expect(world.sent.map(({ url }) => new URL(url).host)).toEqual([host]);
  });

  test("that never ends is left after five minutes; the signal ends the wait at once", async () => {
    const clock = createVirtualClock();
    await using world = await keysInMemory({ clock });
    // The token is kept by real time; one that ended on the virtual clock would be asked for again at every call.
    world.state.tokenLifetime = 20 * 365 * 24 * 3600;
    const headers = { "azure-asyncoperation": at("status"), "retry-after": "60" };
    world.route(host, async ({ method }) =>
      method === "POST"
        ? new Response(null, { status: 202, headers })
        : Response.json({ status: "InProgress" }, { headers }),
    );
    const controller = new AbortController();
    const stopped = regenerate(world.resourceManager, controller.signal);
    while (clock.sleepers === 0) await clock.advance(0);
    controller.abort();
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const faults: unknown[] = [];
    regenerate(world.resourceManager).catch((error: unknown) => faults.push(error));
    while (faults.length === 0) await clock.advance(60_000);
    expect(faults).toMatchObject([{ code: "unavailable" }]);
  });
});
