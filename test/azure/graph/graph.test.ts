import { beforeEach, describe, expect, test } from "vitest";
import type { ApplicationState } from "../../local-azure/state.ts";
import { addApplication, addIdentity, addPassword } from "../../local-azure/resources.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { type GraphInMemory, graphInMemory } from "../../support/graph-in-memory.ts";
import { leakOf } from "../../support/describe-rotator.ts";

let world: GraphInMemory;
let application: ApplicationState;

beforeEach(async () => {
  world = await graphInMemory();
  ({ application } = world);
});

const inAYear = Date.UTC(2099, 0, 1);

function add(displayName = "keyturn:prod-kv/orders:r-1:aa") {
  return world.graph.addPassword(application.objectId, { displayName, endsAt: inAYear });
}

describe("client secrets", () => {
  test("an added one is told once, works, and is listed without its text", async () => {
    const learned: SecretValue[] = [];
    const graph = world.connect({ learn: (value) => void learned.push(value) });
    const displayName = "keyturn:prod-kv/orders:r-1:aa";
    const { keyId, value } = await graph.addPassword(application.objectId, { displayName, endsAt: inAYear });
    const found = await graph.application(application.objectId);
    expect(found.clientId).toBe(application.appId);
    expect(found.secrets).toEqual([
      { keyId, displayName, hint: value.reveal().slice(0, 3), startsAt: expect.any(Number), endsAt: inAYear },
    ]);
    expect(leakOf(value, JSON.stringify(found))).toBeUndefined();
    expect(learned).toEqual([value]);
    expect(await graph.signIn(world.state.tenantId, application.appId, value)).toBe(true);
  });

  test("removing takes away exactly one, and one that is gone is success", async () => {
    const [one, other] = [await add(), await add()];
    await world.graph.removePassword(application.objectId, one.keyId.toUpperCase());
    await world.graph.removePassword(application.objectId, one.keyId);
    const { secrets } = await world.graph.application(application.objectId);
    expect(secrets.map(({ keyId }) => keyId)).toEqual([other.keyId]);
  });

  test("removing is success too if the whole application is gone", async () => {
    const { keyId } = await add();
    world.state.applications.clear();
    await expect(world.graph.removePassword(application.objectId, keyId)).resolves.toBeUndefined();
  });

  test("a removal that Graph refuses while the secret is still listed is a fault", async () => {
    const { keyId } = await add();
    world.intercept = async ({ method }) =>
      method === "POST"
        ? graphAnswer(400, "Request_BadRequest", "No credentials found to be removed.")
        : undefined;
    await expect(world.graph.removePassword(application.objectId, keyId)).rejects.toMatchObject({
      code: "unexpected-response",
    });
  });

  test("an application that is not there is for a person to look at", async () => {
    const missing = world.graph.application(application.appId);
    await expect(missing).rejects.toMatchObject({ code: "target-missing", kind: "needs-human" });
  });

  test("old entries without name, hint or dates are read", async () => {
    const keyId = "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE";
    const passwordCredentials = [{ keyId, displayName: null, startDateTime: null, endDateTime: null }];
    world.intercept = async () => Response.json({ appId: application.appId, passwordCredentials });
    const { secrets } = await world.graph.application(application.objectId);
    expect(secrets).toEqual([{ keyId: keyId.toLowerCase() }]);
  });

  test("a date with seven digits of a second is read", async () => {
    const startDateTime = "2026-01-01T00:00:00.1234567Z";
    const passwordCredentials = [{ keyId: crypto.randomUUID(), startDateTime, endDateTime: startDateTime }];
    world.intercept = async () => Response.json({ appId: application.appId, passwordCredentials });
    const { secrets } = await world.graph.application(application.objectId);
    expect(secrets).toMatchObject([{ startsAt: Date.UTC(2026, 0, 1) + 123 }]);
  });
});

describe("who may", () => {
  test("an application that keyturn does not own is readable and nothing else, and the fault says what to give", async () => {
    const foreign = addApplication(world.state, "somebody-else");
    const password = addPassword(world.state, foreign);
    expect((await world.graph.application(foreign.objectId)).secrets).toHaveLength(1);
    const acts = [
      world.graph.addPassword(foreign.objectId, { displayName: "keyturn", endsAt: inAYear }),
      world.graph.removePassword(foreign.objectId, password.keyId),
    ];
    for (const act of acts)
      await expect(act).rejects.toMatchObject({
        code: "forbidden",
        message: expect.stringContaining("make it an owner"),
      });
    expect(foreign.passwords).toEqual([password]);
  });

  test("without the app role even looking is forbidden", async () => {
    world.state.appRoles.length = 0;
    await expect(world.graph.application(application.objectId)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("without configured endpoints nothing is sent anywhere", async () => {
    const graph = world.connect({ graph: undefined, authority: undefined });
    await expect(graph.application(application.objectId)).rejects.toMatchObject({ code: "invalid-config" });
    const signIn = graph.signIn(world.state.tenantId, application.appId, new SecretValue("planted-secret"));
    await expect(signIn).rejects.toMatchObject({ code: "invalid-config" });
    expect(world.calls).toEqual([]);
  });
});

describe("trouble", () => {
  test.each([
    [400, "Request_BadRequest", "Another change: concurrent requests being made to the tenant.", "throttled"],
    [409, "Request_Conflict", "Error due to concurrent requests being made to the tenant", "throttled"],
    [
      400,
      "Directory_ResourceSizeExceeded",
      "The size of the object has exceeded its limit.",
      "too-many-credentials",
    ],
    [400, "Request_BadRequest", "The maximum number of passwords has been reached", "too-many-credentials"],
    [400, "Request_BadRequest", "planted-secret is not a name", "unexpected-response"],
    [401, "InvalidAuthenticationToken", "planted-secret", "unauthenticated"],
    [429, "TooManyRequests", "planted-secret", "throttled"],
    [503, "ServiceNotAvailable", "planted-secret", "unavailable"],
  ])("Graph's %i %s (%s) is %s, and quotes nothing", async (status, code, message, fault) => {
    world.intercept = async () => graphAnswer(status, code, message);
    const error: Error = await add().then(
      () => expect.unreachable(),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: fault });
    expect(`${error.message} ${JSON.stringify(error.cause)} ${error.stack}`).not.toContain("planted-");
    expect(application.passwords).toEqual([]);
  });

  test("an answer that is not as documented names the place and not the value", async () => {
    world.intercept = async () => Response.json({ keyId: "planted-id", secretText: "planted-secret" });
    await expect(add()).rejects.toMatchObject({
      code: "unexpected-response",
      message: expect.stringMatching(/at keyId$/),
    });
    world.intercept = async () => new Response("planted-secret", { status: 200 });
    await expect(add()).rejects.not.toThrow(/planted/);
  });

  test("a wish to wait is handed to the queue, and adding is sent once whatever happens", async () => {
    world.intercept = async () => graphAnswer(429, "TooManyRequests", "Too many", { "retry-after": "7" });
    await expect(add()).rejects.toMatchObject({ code: "throttled", retryAfter: 7_000 });
    world.intercept = async () => graphAnswer(503, "ServiceNotAvailable", "Later");
    await expect(add()).rejects.toMatchObject({ code: "unavailable" });
    expect(world.calls).toHaveLength(2);
  });

  test("when Graph says how long another change will take, the queue waits that long", async () => {
    const message = "concurrent requests being made to the tenant";
    world.intercept = async () => graphAnswer(400, "Request_BadRequest", message, { "retry-after": "9" });
    await expect(add()).rejects.toMatchObject({ code: "throttled", retryAfter: 9_000 });
  });

  test("an added secret whose answer is lost is a retriable fault and stays behind", async () => {
    world.state.faults.push({ id: "1", service: "graph", match: "addPassword", position: "lost", times: 1 });
    await expect(add()).rejects.toMatchObject({ code: "unavailable", kind: "retriable" });
    expect(application.passwords).toHaveLength(1);
    expect(world.calls).toHaveLength(1);
  });

  test("a removal whose answer is lost may be asked for again and ends well", async () => {
    const { keyId } = await add();
    world.state.faults.push({
      id: "1",
      service: "graph",
      match: "removePassword",
      position: "lost",
      times: 1,
    });
    const first = world.graph.removePassword(application.objectId, keyId);
    await expect(first).rejects.toMatchObject({ code: "unavailable" });
    await expect(world.graph.removePassword(application.objectId, keyId)).resolves.toBeUndefined();
    expect(application.passwords).toEqual([]);
  });

  test("reading is tried again after a 503", async () => {
    world.state.faults.push({
      id: "1",
      service: "graph",
      match: "GET",
      position: "before",
      status: 503,
      times: 2,
    });
    await expect(world.graph.application(application.objectId)).resolves.toBeDefined();
  });

  test("a redirect is followed nowhere", async () => {
    world.intercept = async () =>
      new Response(null, { status: 307, headers: { location: "https://login.microsoftonline.com/collect" } });
    await expect(world.graph.application(application.objectId)).rejects.toMatchObject({
      code: "unexpected-response",
    });
    const signIn = world.graph.signIn(
      world.state.tenantId,
      application.appId,
      new SecretValue("planted-secret"),
    );
    await expect(signIn).rejects.toMatchObject({ code: "unexpected-response" });
    expect(world.calls.filter((call) => call.includes("collect"))).toEqual([]);
  });

  test("an aborted signal stops before anything is sent", async () => {
    const signal = AbortSignal.abort();
    const acts = [
      world.graph.application(application.objectId, signal),
      world.graph.addPassword(application.objectId, { displayName: "keyturn", endsAt: inAYear }, signal),
      world.graph.signIn(world.state.tenantId, application.appId, new SecretValue("planted-secret"), signal),
    ];
    for (const act of acts) await expect(act).rejects.toMatchObject({ code: "cancelled" });
    expect(application.passwords).toEqual([]);
  });
});

test("ids cannot lead a call astray", async () => {
  const foreign = addIdentity(world.state, "bystander").principalId;
  await expect(world.graph.application(`../users/${foreign}?`)).rejects.toMatchObject({
    code: "target-missing",
  });
  expect(world.calls).toEqual([`GET /v1.0/applications/..%2Fusers%2F${foreign}%3F`]);
});

function graphAnswer(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}
