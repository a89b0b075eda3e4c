import { expect, test } from "vitest";
import { answerOf, bodyOf, createFixture, definitionOf } from "./resource-manager/fixture.ts";
import { resourceGroupId } from "./resource-ids.ts";
import { grant } from "./resources.ts";

test("rights come before existence: who may not read learns nothing, who may gets a 404 with Azure's code", async () => {
  await using fixture = await createFixture({ role: "Keyturn Restarter" });
  const { call, containers, sdk, state, id } = fixture;
  await containers.put(id("web"), definitionOf());
  await sdk.beginRestartAndWait("apps", "web", { updateIntervalInMs: 1 });
  const body = definitionOf();
  expect(await answerOf(call("PUT", id("web"), body))).toEqual([403, "AuthorizationFailed"]);
  expect(await answerOf(call("DELETE", id("web")))).toEqual([403, "AuthorizationFailed"]);
  expect(await answerOf(call("GET", `${id("web")}/containers/app/logs`))).toEqual([
    403,
    "AuthorizationFailed",
  ]);
  expect(await answerOf(call("GET", id("absent")))).toEqual([404, "ResourceNotFound"]);
  const elsewhere = id("web").replace("/apps/", "/other/");
  expect(await answerOf(call("GET", elsewhere))).toEqual([403, "AuthorizationFailed"]);
  grant(state, fixture.identity.principalId, "Reader", `/subscriptions/${state.subscriptionId}`);
  expect(await answerOf(call("GET", elsewhere))).toEqual([404, "ResourceGroupNotFound"]);
});

test("a token of another audience, or none, gets a 401; a call without api-version a 400", async () => {
  await using fixture = await createFixture();
  const { service, tokens, identity, call, id } = fixture;
  const { token } = await tokens.issue(identity, "https://vault.azure.net");
  const url = `https://management.azure.com${id("web")}?api-version=2023-05-01`;
  const wrong = service(new Request(url, { headers: { authorization: `Bearer ${token}` } }));
  expect(await answerOf(wrong)).toEqual([401, "InvalidAuthenticationToken"]);
  const none = await service(new Request(url));
  expect(none.status).toBe(401);
  expect(none.headers.get("www-authenticate")).toContain("Bearer authorization_uri=");
  expect(await answerOf(call("GET", `${id("web")}?`))).toEqual([400, "MissingApiVersionParameter"]);
});

test("the permissions API tells the caller's own actions at a scope, data actions apart", async () => {
  await using fixture = await createFixture({ role: "Keyturn Restarter" });
  const { call, state, identity, id } = fixture;
  const vaults = resourceGroupId(state, "vaults");
  grant(state, identity.principalId, "Key Vault Secrets User", vaults);
  const ask = async (scope: string) =>
    (await bodyOf(call("GET", `${scope}/providers/Microsoft.Authorization/permissions`))).value;
  const actions = (await ask(id("web"))).flatMap((one: { actions: string[] }) => one.actions);
  expect(actions).toContain("Microsoft.ContainerInstance/containerGroups/restart/action");
  const dataActions = (await ask(vaults)).flatMap((one: { dataActions: string[] }) => one.dataActions);
  expect(dataActions).toContain("Microsoft.KeyVault/vaults/secrets/getSecret/action");
  expect(await ask(resourceGroupId(state, "other"))).toEqual([]);
});

test("what tools look up first is there: metadata without a token, tenants, subscriptions, groups, providers", async () => {
  await using fixture = await createFixture();
  const { call, service, state, identity } = fixture;
  const url = "https://management.azure.com/metadata/endpoints";
  const old = await bodyOf(service(new Request(`${url}?api-version=2015-01-01`)));
  expect(old.authentication.audiences).toContain("https://management.core.windows.net/");
  const [cloud] = await bodyOf(service(new Request(`${url}?api-version=2019-05-01`)));
  expect(cloud.resourceManager).toBe("https://management.azure.com");
  const read = async (path: string) => await bodyOf(call("GET", path));
  expect((await read("/tenants")).value).toMatchObject([{ tenantId: state.tenantId }]);
  expect((await read("/subscriptions")).value).toMatchObject([{ subscriptionId: state.subscriptionId }]);
  const subscription = `/subscriptions/${state.subscriptionId}`;
  expect(await read(`${subscription}/resourcegroups/APPS`)).toMatchObject({ name: "apps" });
  expect((await call("HEAD", `${subscription}/resourcegroups/apps`)).status).toBe(200);
  expect(await read(`${subscription}/providers/microsoft.containerinstance`)).toMatchObject({
    registrationState: "Registered",
  });
  grant(state, identity.principalId, "Contributor", subscription);
  const made = await call("PUT", `${subscription}/resourceGroups/New`, {
    location: "local",
    tags: { a: "1" },
  });
  expect(made.status).toBe(201);
  expect(await read(`${subscription}/resourcegroups/new`)).toMatchObject({ name: "New", tags: { a: "1" } });
  expect(await read(identity.resourceId)).toMatchObject({
    properties: { principalId: identity.principalId },
  });
});

test("an empty segment in the path, as the Azure CLI sends it, is no other resource", async () => {
  await using fixture = await createFixture();
  const { call, containers, id } = fixture;
  await containers.put(id("web"), definitionOf());
  const doubled = id("web").replace("/containerGroups/", "//containerGroups/");
  expect((await call("GET", doubled)).status).toBe(200);
});
