import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/clock.ts";
import { createGraph } from "./graph.ts";
import { addApplication, addIdentity, addPassword } from "./resources.ts";
import { type AzureState, createState, type HttpService, type Identity } from "./state.ts";
import { createTokenAuthority, type TokenAuthority } from "./tokens.ts";

const Added = z.looseObject({ secretText: z.string() });
const Listed = z.looseObject({
  passwordCredentials: z.array(z.looseObject({ displayName: z.string().nullable() })),
});

let state: AzureState;
let tokens: TokenAuthority;
let service: HttpService;
let caller: Identity;

beforeEach(async () => {
  state = createState(systemClock);
  tokens = await createTokenAuthority(state);
  service = createGraph(state, tokens);
  caller = addIdentity(state, "caller");
});

async function call(method: string, path: string, body?: object, audience = "https://graph.microsoft.com") {
  const { token } = await tokens.issue(caller, audience);
  return await service(
    new Request(`https://graph.microsoft.com/v1.0/applications/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: body ? JSON.stringify(body) : null,
    }),
  );
}

/** Status and code. */
async function answerOf(response: Promise<Response>): Promise<[number, string | undefined]> {
  const answer = await response;
  const text = await answer.text();
  return [answer.status, text ? JSON.parse(text).error?.code : undefined];
}

test("the app role reads, ownership writes, and Application.ReadWrite.All does both", async () => {
  const application = addApplication(state, "orders-api", []);
  const { keyId } = addPassword(state, application);
  const read = () => answerOf(call("GET", application.objectId));
  const write = () => answerOf(call("POST", `${application.objectId}/removePassword`, { keyId }));
  expect(await read()).toEqual([403, "Authorization_RequestDenied"]);
  state.appRoles.push({ principalId: caller.principalId, role: "Application.ReadWrite.OwnedBy" });
  expect(await read()).toEqual([200, undefined]);
  expect(await write()).toEqual([403, "Authorization_RequestDenied"]);
  state.appRoles.push({ principalId: caller.principalId, role: "Application.ReadWrite.All" });
  expect(await write()).toEqual([204, undefined]);
  expect(await write()).toEqual([400, "Request_BadRequest"]);
});

test("a token of another audience is a 401, an unknown application or segment a 404 with Graph's code", async () => {
  const { objectId } = addApplication(state, "orders-api", [caller.principalId]);
  state.appRoles.push({ principalId: caller.principalId, role: "Application.ReadWrite.OwnedBy" });
  const elsewhere = call("GET", objectId, undefined, "https://management.azure.com");
  expect(await answerOf(elsewhere)).toEqual([401, "InvalidAuthenticationToken"]);
  expect(await answerOf(call("GET", "absent"))).toEqual([404, "Request_ResourceNotFound"]);
  expect(await answerOf(call("POST", `${objectId}/addKey`, {}))).toEqual([404, "BadRequest"]);
});

test("adding takes Graph's defaults, cuts long names, tells the text once, and refuses what is no date", async () => {
  const application = addApplication(state, "orders-api", [caller.principalId]);
  state.appRoles.push({ principalId: caller.principalId, role: "Application.ReadWrite.OwnedBy" });
  const path = `${application.objectId}/addPassword`;
  const added = Added.parse(await (await call("POST", path)).json());
  expect(added).toMatchObject({ displayName: null, hint: added.secretText.slice(0, 3) });
  expect(added.secretText).toHaveLength(40);
  await call("POST", path, { passwordCredential: { displayName: "n".repeat(200) } });
  const read = await call("GET", `${application.objectId}?$select=appId,passwordCredentials`);
  const listed = Listed.parse(await read.json());
  expect(Object.keys(listed).toSorted()).toEqual(["appId", "passwordCredentials"]);
  expect(listed.passwordCredentials[1]?.displayName).toHaveLength(90);
  expect(JSON.stringify(listed)).not.toContain(added.secretText);
  const wrong = call("POST", path, { passwordCredential: { endDateTime: "next year" } });
  expect(await answerOf(wrong)).toEqual([400, "Request_BadRequest"]);
  application.passwordLimit = 2;
  expect(await answerOf(call("POST", path))).toEqual([400, "Directory_ResourceSizeExceeded"]);
});
