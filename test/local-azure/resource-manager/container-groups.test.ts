import { isRestError } from "@azure/core-rest-pipeline";
import { expect, test } from "vitest";
import { createVirtualClock } from "../../support/virtual-clock.ts";
import { until } from "../../support/until.ts";
import { startProcess } from "../container-process.ts";
import { answerOf, bodyOf, createFixture, definitionOf } from "./fixture.ts";
import { addIdentity, grant } from "../resources.ts";

const resources = { requests: { cpu: 0.5, memoryInGB: 0.5 } };
const webApp = {
  location: "westeurope",
  osType: "Linux",
  tags: { team: "orders" },
  containers: [{ name: "app", image: "app:1", resources }],
};

/** Status and code of the error that a call ends with. */
async function refusal(call: Promise<unknown>): Promise<[number | undefined, string | undefined]> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isRestError(error) ? [error.statusCode, error.code] : [undefined, String(error)];
}

test("a group is created, read, changed, listed and deleted through the SDK", async () => {
  await using fixture = await createFixture();
  const { sdk } = fixture;
  const created = await sdk.beginCreateOrUpdateAndWait("apps", "web", webApp, { updateIntervalInMs: 1 });
  expect(created).toMatchObject({ name: "web", provisioningState: "Succeeded", tags: { team: "orders" } });
  const read = await sdk.get("APPS", "Web");
  expect(read.instanceView?.state).toBe("Running");
  const [container] = read.containers;
  expect(container?.instanceView?.currentState?.state).toBe("Running");
  expect(container?.instanceView?.currentState?.startTime).toBeInstanceOf(Date);
  expect(container?.instanceView?.restartCount).toBe(0);
  expect((await sdk.update("apps", "web", { tags: { team: "billing" } })).tags).toEqual({ team: "billing" });
  await sdk.beginDeleteAndWait("apps", "web", { updateIntervalInMs: 1 });
  expect(await refusal(sdk.get("apps", "web"))).toEqual([404, "ResourceNotFound"]);
  await sdk.beginDeleteAndWait("apps", "web");
});

test("a list comes in pages and tells nothing about instances", async () => {
  await using fixture = await createFixture({ pageSize: 2 });
  const { containers, sdk, state, identity, id } = fixture;
  for (const name of ["a", "b", "c", "d", "e"]) await containers.put(id(name), definitionOf());
  const pages = [];
  for await (const page of sdk.listByResourceGroup("apps").byPage()) pages.push(page);
  expect(pages.map((page) => page.map(({ name }) => name))).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  expect(pages.flat().map(({ instanceView }) => instanceView)).toEqual(Array(5).fill(undefined));
  expect(pages.flat().flatMap(({ containers: [one] }) => one?.instanceView)).toEqual(
    Array(5).fill(undefined),
  );
  expect(await refusal(sdk.list().next())).toEqual([403, "AuthorizationFailed"]);
  grant(state, identity.principalId, "Reader", `/subscriptions/${state.subscriptionId}`);
  const all = [];
  for await (const { name } of sdk.list()) all.push(name);
  expect(all).toEqual(["a", "b", "c", "d", "e"]);
});

test.each(["async-operation", "location", "no-content"] as const)(
  "a restart, stop, start and delete answered by %s take effect",
  async (style) => {
    await using fixture = await createFixture({ answers: { style }, operationTime: 20, run: startProcess });
    const { containers, sdk, id } = fixture;
    const group = await containers.put(id("web"), definitionOf());
    const [container] = group.containers;
    const pidBefore = container?.pid;
    const poll = { updateIntervalInMs: 5 };
    const settled = () =>
      until("the operation is over", () => group.provisioningState === "Succeeded", { every: 2 });
    await sdk.beginRestartAndWait("apps", "web", poll);
    // With 204 the answer comes before the end.
    if (style === "no-content") await settled();
    expect(group.provisioningState).toBe("Succeeded");
    expect(container?.pid).not.toBe(pidBefore);
    await sdk.stop("apps", "web");
    await settled();
    expect((await sdk.get("apps", "web")).instanceView?.state).toBe("Stopped");
    await sdk.beginStartAndWait("apps", "web", poll);
    await settled();
    expect((await sdk.get("apps", "web")).instanceView?.state).toBe("Running");
    await sdk.beginDeleteAndWait("apps", "web", poll);
    await until("it is gone", () => containers.get(id("web")) === undefined, { every: 2 });
  },
);

test("an operation takes its time on the clock of the state, and until then all others get a 409", async () => {
  const clock = createVirtualClock();
  const answers = { style: "async-operation" } as const;
  await using fixture = await createFixture({ clock, answers, operationTime: 10_000 });
  const { containers, sdk, call, id } = fixture;
  const put = await call("PUT", id("web"), definitionOf());
  expect(put.status).toBe(201);
  expect(await put.json()).toMatchObject({ properties: { provisioningState: "Pending" } });
  const status = put.headers.get("azure-asyncoperation") ?? "";
  const poll = async () => (await bodyOf(call("GET", status.replace(/^https:\/\/[^/]+/, "")))).status;
  expect(await poll()).toBe("InProgress");
  for (const busy of [
    sdk.beginRestart("apps", "web"),
    sdk.stop("apps", "web"),
    sdk.beginDelete("apps", "web"),
  ]) {
    expect(await refusal(busy)).toEqual([409, "ContainerGroupTransitioning"]);
  }
  await clock.advance(9_999);
  expect(await poll()).toBe("InProgress");
  await clock.advance(1);
  expect(await poll()).toBe("Succeeded");
  const restarted = containers.restart(id("web"));
  await clock.advance(10_000);
  await restarted;
});

test("without further ado calls are answered as documented: a restart by 204, a start by 202 unless it runs", async () => {
  await using fixture = await createFixture();
  const { containers, call, id } = fixture;
  await containers.put(id("web"), definitionOf());
  const statusOf = async (action: string) => (await call("POST", `${id("web")}/${action}`)).status;
  const settled = () =>
    until("it is over", () => containers.get(id("web"))?.provisioningState === "Succeeded", { every: 2 });
  expect(await statusOf("restart")).toBe(204);
  await settled();
  expect(await statusOf("start")).toBe(204);
  await settled();
  expect(await statusOf("stop")).toBe(204);
  await settled();
  expect(await statusOf("start")).toBe(202);
});

test("the restart of a stopped group is refused", async () => {
  await using fixture = await createFixture();
  const { containers, sdk, id } = fixture;
  await containers.put(id("web"), definitionOf());
  await containers.stop(id("web"));
  expect(await refusal(sdk.beginRestart("apps", "web"))).toEqual([409, "ContainerGroupStopped"]);
});

test("only who began an operation may ask for it", async () => {
  await using fixture = await createFixture({ answers: { style: "location" } });
  const { containers, state, service, tokens, call, id } = fixture;
  await containers.put(id("web"), definitionOf());
  const accepted = await call("POST", `${id("web")}/restart`);
  expect(accepted.status).toBe(202);
  const location = accepted.headers.get("location") ?? "";
  const other = addIdentity(state, "other");
  const { token } = await tokens.issue(other, "https://management.azure.com");
  const answer = await service(new Request(location, { headers: { authorization: `Bearer ${token}` } }));
  expect(answer.status).toBe(404);
});

test("secure values, secret volumes and registry passwords are never given back", async () => {
  await using fixture = await createFixture();
  const { call, id } = fixture;
  const canary = "canary-3f1c";
  const body = definitionOf(undefined, {
    container: { environmentVariables: [{ name: "KEY", secureValue: canary }] },
    properties: {
      volumes: [{ name: "conf", secret: { "a.txt": Buffer.from(canary).toString("base64") } }],
      imageRegistryCredentials: [{ server: "r.azurecr.io", username: "u", password: canary }],
    },
  });
  const put = await (await call("PUT", id("web"), body)).text();
  const read = await (await call("GET", id("web"))).text();
  for (const text of [put, read, JSON.stringify([...fixture.state.groups.values()])]) {
    expect(text).not.toContain(canary);
    expect(text).not.toContain(Buffer.from(canary).toString("base64"));
  }
  const { properties } = JSON.parse(read);
  expect(properties.containers[0].properties.environmentVariables).toEqual([{ name: "KEY" }]);
  expect(properties.volumes).toEqual([{ name: "conf", secret: {} }]);
});

test.each<[string, object, string]>([
  ["no containers", definitionOf(undefined, { properties: { containers: [] } }), "properties.containers"],
  ["a container without image", definitionOf(undefined, { container: { image: "" } }), "properties.image"],
  ["a container without resources", definitionOf(undefined, { container: { resources: {} } }), "requests"],
  ["Windows", definitionOf(undefined, { properties: { osType: "Windows" } }), "osType"],
  [
    "a Key Vault reference, which is not supported locally",
    definitionOf(undefined, {
      container: { environmentVariables: [{ name: "A", secureValueReference: "x" }] },
    }),
    "environmentVariables",
  ],
  [
    "a mount without volume",
    definitionOf(undefined, { container: { volumeMounts: [{ name: "x", mountPath: "/x" }] } }),
    "x",
  ],
])("a PUT with %s is refused and leaves nothing behind", async (_what, body, field) => {
  await using fixture = await createFixture();
  const { call, id, containers } = fixture;
  const answer = await call("PUT", id("web"), body);
  expect(answer.status).toBe(400);
  expect((await bodyOf(answer)).error.message).toContain(field);
  expect(containers.get(id("web"))).toBeUndefined();
});

test("a PUT names its user-assigned identities by resource id and gets its own principal", async () => {
  await using fixture = await createFixture();
  const { call, state, id, containers } = fixture;
  const shared = addIdentity(state, "shared");
  const identity = {
    type: "SystemAssigned, UserAssigned",
    userAssignedIdentities: { [shared.resourceId]: {} },
  };
  const { identity: given } = await bodyOf(call("PUT", id("web"), definitionOf(undefined, { identity })));
  const { principalId, clientId } = shared;
  expect(given.userAssignedIdentities).toEqual({ [shared.resourceId]: { principalId, clientId } });
  expect(state.identities.get(given.principalId)).toMatchObject({ resourceId: id("web") });
  await until("it runs", () => containers.get(id("web"))?.provisioningState === "Succeeded", { every: 2 });
  await containers.delete(id("web"));
  expect(state.identities.has(given.principalId)).toBe(false);
  const unknown = { type: "UserAssigned", userAssignedIdentities: { [`${shared.resourceId}-no`]: {} } };
  const refused = call("PUT", id("web"), definitionOf(undefined, { identity: unknown }));
  expect(await answerOf(refused)).toEqual([400, "FailedIdentityOperation"]);
});

test("the log of a container is what it printed last", async () => {
  await using fixture = await createFixture({ run: startProcess });
  const { containers, logs, id } = fixture;
  await containers.put(
    id("web"),
    definitionOf('console.log("one"); console.error("two"); setInterval(() => {}, 99)'),
  );
  await until("it has printed", () => containers.get(id("web"))?.containers[0]?.log.length === 2);
  expect((await logs.listLogs("apps", "web", "app")).content?.split("\n").toSorted()).toEqual([
    "",
    "one",
    "two",
  ]);
  expect((await logs.listLogs("apps", "web", "app", { tail: 1 })).content?.trim().split("\n")).toHaveLength(
    1,
  );
});
