import { expect, test } from "vitest";
import { createContainerGroups } from "../../src/azure/container-instances.ts";
import { Fault } from "../../src/errors.ts";
import { until } from "../support/until.ts";
import { inMemoryCredential, inMemoryHttpClient } from "./in-memory-client.ts";
import { createFixture, definitionOf } from "./resource-manager/fixture.ts";
import { grant } from "./resources.ts";
import type { HttpService } from "./state.ts";

// The adapter of src/azure/container-instances.ts, on Azure's own client, against the local Azure.

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Fault);
  return thrown instanceof Fault ? thrown : new Fault("internal-error", String(thrown));
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const restarts = (calls: readonly { call: string }[]) =>
  calls.filter(({ call }) => call.endsWith("/restart")).length;

test("a group is told as it is, its containers with state, start and restarts", async () => {
  await using fixture = await createFixture();
  const { groups, containers, id } = fixture;
  const {
    containers: [container],
  } = await containers.put(id("web"), definitionOf(undefined, { tags: { a: "1" } }));
  expect(await groups.get(id("web"))).toEqual({
    id: id("web"),
    name: "web",
    tags: { a: "1" },
    provisioningState: "Succeeded",
    state: "Running",
    containers: [
      { name: "app", image: "app:1", state: "Running", startedAt: container?.startTime, restartCount: 0 },
    ],
  });
});

test("a container that crashes is told with the start of the run before", async () => {
  await using fixture = await createFixture();
  const { groups, containers, id } = fixture;
  const [container] = (await containers.put(id("web"), definitionOf())).containers;
  const startTime = container?.startTime;
  const previousState = { state: "Terminated", startTime, finishTime: startTime, exitCode: 1 };
  Object.assign(container ?? {}, { state: "Waiting", startTime: undefined, previousState });
  const view = await groups.get(id("web"));
  expect(view?.containers).toEqual([
    { name: "app", image: "app:1", state: "Waiting", startedBefore: startTime, restartCount: 0 },
  ]);
});

test("a group that does not exist is undefined, one that may not be read is a fault", async () => {
  await using fixture = await createFixture({ role: "Keyturn Restarter" });
  const { groups, id } = fixture;
  expect(await groups.get(id("absent"))).toBeUndefined();
  expect(await faultOf(groups.get(id("absent").replace("/apps/", "/other/")))).toMatchObject({
    code: "forbidden",
  });
});

test("a 404 that is not Resource Manager's own is no proof that a group is gone", async () => {
  await using fixture = await createFixture();
  fixture.addFault({ match: "GET .*/web", position: "before", status: 404, code: "NotFound" });
  expect(await faultOf(fixture.groups.get(fixture.id("web")))).toMatchObject({ code: "not-found" });
});

test("all pages of a list arrive, for a resource group and for the subscription", async () => {
  await using fixture = await createFixture({ pageSize: 2 });
  const { groups, containers, state, identity, id } = fixture;
  for (const name of ["a", "b", "c"])
    await containers.put(id(name), definitionOf(undefined, { tags: { name } }));
  const inGroup = await collect(groups.list(`/subscriptions/${state.subscriptionId}/resourceGroups/apps`));
  expect(inGroup).toEqual(["a", "b", "c"].map((name) => ({ id: id(name), name, tags: { name } })));
  grant(state, identity.principalId, "Reader", `/subscriptions/${state.subscriptionId}`);
  expect(await collect(groups.list(`/subscriptions/${state.subscriptionId}`))).toHaveLength(3);
});

test.each(["async-operation", "location"] as const)(
  "a restart answered by %s is followed to its end",
  async (style) => {
    await using fixture = await createFixture({ answers: { style }, operationTime: 30 });
    const { groups, containers, id } = fixture;
    const group = await containers.put(id("web"), definitionOf());
    const before = group.containers[0]?.startTime ?? 0;
    await groups.restart(id("web"));
    expect(group.provisioningState).toBe("Succeeded");
    expect(group.containers[0]?.startTime).toBeGreaterThan(before);
  },
);

test("a restart answered by 204 is over for the caller before it is over for Azure", async () => {
  await using fixture = await createFixture({ answers: { style: "no-content" } });
  const { groups, containers, id } = fixture;
  const group = await containers.put(id("web"), definitionOf());
  fixture.options.operationTime = 40;
  await groups.restart(id("web"));
  expect(group.provisioningState).toBe("Pending");
  await until("it is over", () => group.provisioningState === "Succeeded", { every: 2 });
});

test.each([
  ["is a 500", { position: "after", status: 500 }],
  ["is lost", { position: "lost" }],
  ["never came because the connection broke", { position: "before" }],
  ["is a 503", { position: "before", status: 503 }],
] as const)(
  "a restart whose answer %s is not sent again, but may be asked for again",
  async (_what, fault) => {
    await using fixture = await createFixture();
    const { groups, containers, state, id } = fixture;
    await containers.put(id("web"), definitionOf());
    fixture.addFault({ match: "POST .*/restart", ...fault, times: -1 });
    expect(await faultOf(groups.restart(id("web")))).toMatchObject({
      code: "unavailable",
      kind: "retriable",
    });
    expect(restarts(state.calls)).toBe(1);
  },
);

test("a poll that fails is repeated: the operation goes on without us", async () => {
  await using fixture = await createFixture({ answers: { style: "async-operation" }, operationTime: 20 });
  const { groups, containers, id } = fixture;
  await containers.put(id("web"), definitionOf());
  fixture.addFault({ match: "GET .*/operations/", position: "before", status: 500, times: 2 });
  await groups.restart(id("web"));
});

test("a group that is busy or stopped is retriable, and a stopped one stays stopped", async () => {
  await using fixture = await createFixture();
  const { groups, containers, id } = fixture;
  const group = await containers.put(id("web"), definitionOf());
  group.provisioningState = "Pending";
  expect(await faultOf(groups.restart(id("web")))).toMatchObject({ code: "unavailable", kind: "retriable" });
  group.provisioningState = "Succeeded";
  await containers.stop(id("web"));
  expect(await faultOf(groups.restart(id("web")))).toMatchObject({ code: "unavailable", kind: "retriable" });
  expect((await groups.get(id("web")))?.state).toBe("Stopped");
});

test.each(["async-operation", "location"] as const)(
  "an operation that fails, told by %s, is a failed restart",
  async (style) => {
    await using fixture = await createFixture({ answers: { style } });
    const { groups, containers, state, id, identity } = fixture;
    await containers.put(id("web"), definitionOf(undefined, identityOf(identity.resourceId)));
    fixture.options.environmentFor = () => Promise.reject(new Error("canary"));
    const fault = await faultOf(groups.restart(id("web")));
    expect(fault).toMatchObject({ code: "restart-failed", kind: "terminal" });
    expect(state.groups.get(id("web").toLowerCase())?.provisioningState).toBe("Failed");
  },
);

test("a throttled read waits as asked if that is short, and is handed to the caller if it is long", async () => {
  await using fixture = await createFixture();
  const { groups, containers, id } = fixture;
  await containers.put(id("web"), definitionOf());
  fixture.addFault({ match: "GET", position: "before", status: 429, retryAfter: 0 });
  expect(await groups.get(id("web"))).toBeDefined();
  fixture.addFault({ match: "GET", position: "before", status: 429, retryAfter: 3600 });
  expect(await faultOf(groups.get(id("web")))).toMatchObject({ code: "throttled", retryAfter: 3_600_000 });
});

test("an abort ends a restart that is being waited for", async () => {
  await using fixture = await createFixture({ answers: { style: "async-operation" } });
  const { groups, id, call, state } = fixture;
  await fixture.containers.put(id("web"), definitionOf());
  fixture.options.operationTime = 60_000;
  const stop = new AbortController();
  const restarting = faultOf(groups.restart(id("web"), stop.signal));
  await until("it is polled", () => state.calls.some((one) => one.call.includes("/operations/")), {
    every: 2,
  });
  stop.abort();
  expect(await restarting).toMatchObject({ code: "cancelled" });
  expect((await call("GET", id("web"))).status).toBe(200);
});

test("an id that is none, or that a URL would resolve elsewhere, is refused before anything is sent", async () => {
  await using fixture = await createFixture();
  const { groups, state, id } = fixture;
  for (const bad of [
    "",
    "web",
    `${id("web")}/..`,
    id("..%2fx"),
    id("web?x"),
    id("web").replace("apps", ".."),
  ]) {
    expect(await faultOf(groups.get(bad))).toMatchObject({ code: "invalid-config" });
    expect(await faultOf(groups.restart(bad))).toMatchObject({ code: "invalid-config" });
    expect(await faultOf(collect(groups.list(bad)))).toMatchObject({ code: "invalid-config" });
  }
  expect(state.calls).toEqual([]);
});

test("a next page or an operation at another host gets no token of ours", async () => {
  await using fixture = await createFixture();
  const { state, tokens, identity, id } = fixture;
  const stolen: string[] = [];
  const elsewhere = "https://evil.example/x";
  const lying: HttpService = async (request) =>
    request.method === "POST"
      ? new Response(null, { status: 202, headers: { location: elsewhere } })
      : Response.json({ value: [], nextLink: elsewhere });
  const thief: HttpService = async (request) => {
    stolen.push(request.headers.get("authorization") ?? "");
    return Response.json({ value: [] });
  };
  const httpClient = inMemoryHttpClient(
    new Map([
      ["arm.local", lying],
      ["evil.example", thief],
    ]),
  );
  const groups = createContainerGroups({
    credential: inMemoryCredential(tokens, identity),
    endpoint: "https://arm.local",
    scope: "https://management.azure.com/.default",
    client: { httpClient },
  });
  const listed = faultOf(collect(groups.list(`/subscriptions/${state.subscriptionId}`)));
  expect(await listed).toMatchObject({ code: "unexpected-response" });
  expect(await faultOf(groups.restart(id("web")))).toMatchObject({ code: "unexpected-response" });
  expect(stolen).toEqual([]);
});

function identityOf(resourceId: string): { identity: object } {
  return { identity: { type: "UserAssigned", userAssignedIdentities: { [resourceId]: {} } } };
}
