import { decodeJwt } from "jose";
import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/clock.ts";
import { createAuthority } from "./authority.ts";
import { addApplication, addPassword } from "./resources.ts";
import { type ApplicationState, type AzureState, createState, type HttpService } from "./state.ts";
import { createTokenAuthority, type TokenAuthority } from "./tokens.ts";

const Answer = z.looseObject({
  access_token: z.string().default(""),
  error_codes: z.array(z.number()).default([]),
  error_description: z.string().default(""),
});

let state: AzureState;
let tokens: TokenAuthority;
let service: HttpService;
let application: ApplicationState;
let good: Record<string, string>;

beforeEach(async () => {
  state = createState(systemClock);
  tokens = await createTokenAuthority(state);
  service = createAuthority(state, tokens);
  application = addApplication(state, "orders-api");
  good = {
    grant_type: "client_credentials",
    client_id: application.appId,
    client_secret: addPassword(state, application).value,
    scope: "https://vault.azure.net/.default",
  };
});

async function ask(form: Record<string, string>, tenant = state.tenantId) {
  const url = `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`;
  const response = await service(new Request(url, { method: "POST", body: new URLSearchParams(form) }));
  return { status: response.status, body: Answer.parse(await response.json()) };
}

test("a client secret is worth a token of the application for the resource of the scope", async () => {
  const { status, body } = await ask(good);
  expect(status).toBe(200);
  expect(body).toMatchObject({ token_type: "Bearer", expires_in: state.tokenLifetime });
  const claims = await tokens.verify(body.access_token, ["https://vault.azure.net"]);
  expect(claims).toMatchObject({ appid: application.appId, oid: application.principalId });
  expect(decodeJwt(body.access_token)).toMatchObject({ tid: state.tenantId, idtyp: "app" });
});

test.each([
  [{ client_secret: "wrong" }, 401, "invalid_client", 7000215],
  [{ client_secret: "" }, 401, "invalid_client", 7000218],
  [{ client_id: "11111111-2222-4333-8444-555555555555" }, 400, "unauthorized_client", 700016],
  [{ grant_type: "password" }, 400, "unsupported_grant_type", 70003],
  [{ scope: "https://vault.azure.net" }, 400, "invalid_scope", 1002012],
  [{ scope: "https://nowhere.example/.default" }, 400, "invalid_resource", 500011],
])("%j is answered with %i %s and AADSTS%i", async (change, status, error, number) => {
  const answer = await ask({ ...good, ...change });
  expect(answer).toMatchObject({ status, body: { error, error_codes: [number] } });
  expect(answer.body.error_description).toContain(`AADSTS${number}: `);
});

test("another tenant knows nobody, and an expired secret has a number of its own", async () => {
  expect((await ask(good, "elsewhere")).body.error_codes).toEqual([90002]);
  const { value } = addPassword(state, application, { end: Date.now() - 1 });
  expect((await ask({ ...good, client_secret: value })).body.error_codes).toEqual([7000222]);
});

test("sign-ins are recorded without what was sent, and faults can be switched on", async () => {
  state.faults.push({
    id: "1",
    service: "authority",
    match: "oauth2",
    position: "before",
    status: 503,
    times: 1,
  });
  expect((await ask(good)).status).toBe(503);
  await ask(good);
  const calls = state.calls.filter(({ service: name }) => name === "authority");
  expect(calls.map(({ status }) => status)).toEqual([503, 200]);
  expect(JSON.stringify(calls)).not.toContain(good.client_secret);
});
