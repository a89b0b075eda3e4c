import { decodeJwt } from "jose";
import { expect, test } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { createIdentityEndpoint } from "./identity.ts";
import { groupId } from "./resource-ids.ts";
import { addIdentity } from "./resources.ts";
import { createState, type Identity } from "./state.ts";
import { createTokenAuthority } from "./tokens.ts";

const resource = "https://vault.azure.net";

async function setUp(choose: (ids: { first: Identity; second: Identity; system: Identity }) => Identity[]) {
  const state = createState(createVirtualClock());
  const tokens = await createTokenAuthority(state);
  const first = addIdentity(state, "first");
  const second = addIdentity(state, "second");
  const system = { ...addIdentity(state, "system"), resourceId: groupId(state, "apps", "orders-api") };
  const holder = choose({ first, second, system });
  const handle = createIdentityEndpoint(state, tokens, () => holder);
  const get = async (
    query: Record<string, string>,
    headers: Record<string, string> = { Metadata: "true" },
  ) => {
    const search = new URLSearchParams({ "api-version": "2018-02-01", ...query });
    const url = `http://127.0.0.1/metadata/identity/oauth2/token/?${search.toString()}`;
    const answer = await handle(new Request(url, { headers }));
    return { status: answer.status, body: JSON.parse(await answer.text()) };
  };
  return { state, tokens, first, second, system, handle, get };
}

test("the only identity gets a token with Azure's claims for 24 hours", async () => {
  const { get, first, state, tokens } = await setUp(({ first: only }) => [only]);
  const { status, body } = await get({ resource });
  const now = state.clock.now() / 1000;
  expect(status).toBe(200);
  expect(body).toMatchObject({
    token_type: "Bearer",
    resource,
    client_id: first.clientId,
    expires_on: String(now + 24 * 3600),
    expires_in: "86400",
  });
  expect(decodeJwt(body.access_token)).toMatchObject({
    aud: resource,
    iss: `https://sts.windows.net/${state.tenantId}/`,
    tid: state.tenantId,
    oid: first.principalId,
    appid: first.clientId,
    xms_mirid: first.resourceId,
    nbf: now,
    exp: now + 24 * 3600,
  });
  expect(await tokens.verify(body.access_token, [resource])).toMatchObject({ oid: first.principalId });
});

test("a token lives as long as the state says", async () => {
  const { get, state } = await setUp(({ first }) => [first]);
  state.tokenLifetime = 60;
  expect((await get({ resource })).body.expires_in).toBe("60");
});

test("client id, object id and resource id each choose among several", async () => {
  const { get, second } = await setUp((ids) => [ids.first, ids.second]);
  for (const [parameter, value] of [
    ["client_id", second.clientId],
    ["object_id", second.principalId],
    ["msi_res_id", second.resourceId.toUpperCase()],
  ] as const) {
    expect((await get({ resource, [parameter]: value })).body.client_id).toBe(second.clientId);
  }
});

test("several user-assigned identities have to be told apart, unless there is a system-assigned one", async () => {
  const both = await setUp((ids) => [ids.first, ids.second]);
  expect(await both.get({ resource })).toMatchObject({
    status: 400,
    body: { error: "invalid_request", error_description: expect.stringContaining("Multiple user assigned") },
  });
  const withSystem = await setUp((ids) => [ids.first, ids.second, ids.system]);
  expect((await withSystem.get({ resource })).body.client_id).toBe(withSystem.system.clientId);
});

test("an identity that the holder does not carry is not found", async () => {
  const { get, second } = await setUp(({ first }) => [first]);
  expect(await get({ resource, client_id: second.clientId })).toMatchObject({
    status: 400,
    body: { error: "invalid_request", error_description: "Identity not found" },
  });
});

test("requests that IMDS refuses are refused", async () => {
  const { get, handle } = await setUp(({ first }) => [first]);
  const bad = [
    await get({ resource }, {}),
    await get({ resource }, { Metadata: "true", "X-Forwarded-For": "10.0.0.1" }),
    await get({}),
    await get({ resource, "api-version": "" }),
  ];
  for (const answer of bad) expect(answer).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  expect((await handle(new Request("http://127.0.0.1/metadata/instance"))).status).toBe(404);
});

test("there are no tokens for a resource that no tenant has", async () => {
  const { get } = await setUp(({ first }) => [first]);
  expect(await get({ resource: "https://localhost:4433" })).toMatchObject({
    status: 400,
    body: { error: "invalid_resource" },
  });
});

test("the form that the Azure CLI posts gets a token too", async () => {
  const { handle, first } = await setUp((ids) => [ids.first]);
  const answer = await handle(
    new Request("http://127.0.0.1/oauth2/token", {
      method: "POST",
      headers: { Metadata: "true" },
      body: new URLSearchParams({ resource: "https://management.core.windows.net/" }),
    }),
  );
  expect(await answer.json()).toMatchObject({ client_id: first.clientId, token_type: "Bearer" });
});

test("an endpoint that is not ready yet can be played", async () => {
  const { get, state } = await setUp(({ first }) => [first]);
  state.faults.push({
    id: "not-ready",
    service: "identity",
    match: "token",
    position: "before",
    status: 404,
    times: 2,
  });
  const statuses = [];
  for (let tries = 0; tries < 3; tries++) statuses.push((await get({ resource })).status);
  expect(statuses).toEqual([404, 404, 200]);
});
