import { beforeEach, expect, test } from "vitest";
import { addPassword } from "../../local-azure/resources.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { createVirtualClock, type VirtualClock } from "../../support/virtual-clock.ts";
import { type GraphInMemory, graphInMemory } from "../../support/graph-in-memory.ts";

let clock: VirtualClock;
let world: GraphInMemory;

beforeEach(async () => {
  clock = createVirtualClock();
  world = await graphInMemory(clock);
});

function signIn(secret: string, { tenant = world.state.tenantId, client = world.application.appId } = {}) {
  return world.graph.signIn(tenant, client, new SecretValue(secret));
}

test("a client secret works from the end of the propagation to the end of its life", async () => {
  const { value } = addPassword(world.state, world.application, {
    worksFrom: clock.now() + 10_000,
    end: clock.now() + 60_000,
  });
  expect(await signIn(value)).toBe(false);
  await clock.advance(10_000);
  expect(await signIn(value)).toBe(true);
  await clock.advance(50_000);
  expect(await signIn(value)).toBe(false);
});

test("a wrong secret is refused, and its characters go over the wire as they are", async () => {
  const { value } = addPassword(world.state, world.application, { value: "a+b&c=d %~_-.é" });
  expect(await signIn(value)).toBe(true);
  expect(await signIn("a b&c=d %~_-.é")).toBe(false);
});

test("the secret goes to the token endpoint of the tenant, in the body and nowhere else", async () => {
  let seen: { url: string; headers: string } | undefined;
  world.intercept = async (request) => {
    seen = { url: request.url, headers: JSON.stringify([...request.headers]) };
    return undefined;
  };
  await signIn("planted-secret");
  expect(seen?.url).toBe(`https://login.microsoftonline.com/${world.state.tenantId}/oauth2/v2.0/token`);
  expect(JSON.stringify(seen)).not.toContain("planted");
  expect(seen?.headers).not.toContain("authorization");
});

test("another tenant, or a client that it does not know, is for a person to look at", async () => {
  const other = "99999999-9999-4999-8999-999999999999";
  await expect(signIn("x", { tenant: other })).rejects.toMatchObject({ code: "target-missing" });
  await expect(signIn("x", { client: other })).rejects.toMatchObject({
    code: "target-missing",
    message: expect.stringContaining("AADSTS700016"),
  });
});

test.each([
  [401, { error_codes: [7000222] }, false],
  [401, { error_description: "AADSTS7000215: Invalid client secret provided." }, false],
  [400, { error_codes: [90033] }, "unavailable"],
  [400, { error_codes: [50196] }, "throttled"],
  [400, { error_codes: [7000112] }, "target-missing"],
  [400, { error_codes: [53003], error_description: "planted-secret" }, "unexpected-response"],
  [400, { error: { code: "planted-secret" } }, "unexpected-response"],
  [429, {}, "throttled"],
  [500, {}, "unavailable"],
  [200, { access_token: "" }, "unexpected-response"],
] as const)("an answer of %i %j means %s", async (status, body, meaning) => {
  world.intercept = async () => Response.json(body, { status });
  const outcome = await signIn("planted-secret").catch((error: Error) => error);
  if (typeof meaning === "boolean") expect(outcome).toBe(meaning);
  else expect(outcome).toMatchObject({ code: meaning });
  if (outcome instanceof Error)
    expect(`${outcome.stack} ${JSON.stringify(outcome.cause)}`).not.toContain("planted");
});
