import { expect, test, vi } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { createKeyVault } from "./key-vault.ts";
import { addIdentity, addVault, grant } from "./resources.ts";
import { createState, type VaultEvent } from "./state.ts";
import { createTokenAuthority, generateTokenKeys } from "./tokens.ts";

const day = 24 * 3600;

/** A vault whose events are collected, and a caller that speaks its wire protocol without an SDK. */
async function setUp(nearExpiryDelay = 1_000) {
  const clock = createVirtualClock();
  const state = createState(clock);
  const tokens = await createTokenAuthority(state);
  const vault = addVault(state, "prod-kv");
  const identity = addIdentity(state, "worker");
  grant(state, identity.principalId, "Key Vault Secrets Officer", vault.id);
  const events: VaultEvent[] = [];
  const emit = (event: VaultEvent) => void events.push(event);
  const service = createKeyVault(state, tokens, vault, { emit, nearExpiryDelay });
  const call = async (method: string, path: string, body?: object, token?: string) => {
    // A fresh token per call: the clock may have moved by months.
    const bearer = token ?? (await tokens.issue(identity, "https://vault.azure.net")).token;
    const query = path.includes("?") ? "" : "?api-version=7.6";
    return await service.handle(
      new Request(`${vault.url}${path}${query}`, {
        method,
        headers: bearer ? { authorization: `Bearer ${bearer}` } : {},
        body: body ? JSON.stringify(body) : null,
      }),
    );
  };
  const put = async (name: string, lifetime?: number): Promise<string> => {
    const exp = lifetime === undefined ? undefined : Math.floor(clock.now() / 1000) + lifetime;
    const answer = await call("PUT", `/secrets/${name}`, { value: "x", attributes: { exp } });
    expect(answer.status).toBe(200);
    return vault.secrets.get(name)?.versions.at(-1)?.version ?? "";
  };
  const told = () =>
    events.map(({ type, version }) => [type.replace("Microsoft.KeyVault.Secret", ""), version.version]);
  return { clock, state, tokens, identity, vault, service, call, put, events, told };
}

test("a request without a token is answered with the challenge of Key Vault", async () => {
  const { call, state } = await setUp();
  const answer = await call("GET", "/secrets/a", undefined, "");
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toBe(
    `Bearer authorization="https://login.microsoftonline.com/${state.tenantId}", resource="https://vault.azure.net"`,
  );
});

test("a token for another audience, of an unknown principal or of another authority is refused", async () => {
  const { call, tokens, identity, state } = await setUp();
  const vaultAudience = "https://vault.azure.net";
  const stranger = { ...identity, principalId: crypto.randomUUID() };
  const forged = await createTokenAuthority(state, await generateTokenKeys());
  const bad = [
    await tokens.issue(identity, "https://management.azure.com"),
    await tokens.issue(stranger, vaultAudience),
    await forged.issue(identity, vaultAudience),
  ];
  for (const { token } of bad) expect((await call("GET", "/secrets", undefined, token)).status).toBe(401);
  expect((await call("GET", "/secrets")).status).toBe(200);
});

test("any api-version is taken, but none is a bad request", async () => {
  const { call } = await setUp();
  expect((await call("GET", "/secrets?api%2Dversion=2026-04-01")).status).toBe(200);
  const answer = await call("GET", "/secrets?maxresults=1");
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { code: "BadParameter" } });
});

test.for([
  ["PUT", "/secrets/a", {}],
  ["PUT", "/secrets/a", { value: 1 }],
  ["PUT", "/secrets/a", { value: "s3cret", attributes: { exp: "tomorrow" } }],
  ["PUT", "/secrets/a", { value: "s3cret", attributes: { exp: 1.5 } }],
  ["PUT", "/secrets/a", undefined],
  ["GET", "/secrets?api-version=7.6&maxresults=26", undefined],
  ["GET", "/secrets?api-version=7.6&$skiptoken=nonsense", undefined],
  ["POST", "/secrets/a", { value: "1" }],
] as const)("a bad request is a bad parameter: %s %s %j", async ([method, path, body]) => {
  const { call } = await setUp();
  const answer = await call(method, path, body);
  expect(answer.status).toBe(400);
  const text = await answer.text();
  expect(text).toContain("BadParameter");
  expect(text).not.toContain("s3cret");
});

test("a walk over the pages stays whole while secrets come and go", async () => {
  const { call, put, vault } = await setUp();
  for (const name of ["a", "b", "c", "d", "e"]) await put(name);
  const first = await (await call("GET", "/secrets?api-version=7.6&maxresults=2")).text();
  const nextLink: string = JSON.parse(first).nextLink;
  await call("DELETE", "/secrets/a");
  await put("f");
  const second = await (await call("GET", nextLink.slice(vault.url.length))).json();
  expect(second).toMatchObject({
    value: [{ id: `${vault.url}/secrets/c` }, { id: `${vault.url}/secrets/d` }],
  });
});

test("every new version is told at once, also a disabled one", async () => {
  const { call, put, told, events } = await setUp();
  const version = await put("a");
  expect(told()).toEqual([["NewVersionCreated", version]]);
  await call("PUT", "/secrets/a", { value: "x", attributes: { enabled: false } });
  expect(events[1]).toMatchObject({ name: "a", version: { enabled: false } });
});

test("a version with less than 30 days to live is told soon after its write, once, and again when it expires", async () => {
  const { clock, put, told } = await setUp();
  const version = await put("a", 29 * day);
  await clock.advance(999);
  expect(told()).toHaveLength(1);
  await clock.advance(1);
  expect(told().slice(1)).toEqual([["NearExpiry", version]]);
  await clock.advance(28 * day * 1000);
  expect(told()).toHaveLength(2);
  await clock.advance(day * 1000);
  expect(told().slice(2)).toEqual([["Expired", version]]);
  await clock.advance(365 * day * 1000);
  expect(told()).toHaveLength(3);
});

test("a version that crosses the 30 day mark later is told then", async () => {
  const { clock, put, told } = await setUp();
  const version = await put("a", 90 * day);
  await clock.advance(60 * day * 1000 - 1);
  expect(told()).toHaveLength(1);
  await clock.advance(1);
  expect(told().slice(1)).toEqual([["NearExpiry", version]]);
});

test("a version that is no longer the current one is not told of, nor is one without an expiry", async () => {
  const { clock, put, told } = await setUp();
  await put("a", 40 * day);
  await put("a");
  await clock.advance(100 * day * 1000);
  expect(told().map(([type]) => type)).toEqual(["NewVersionCreated", "NewVersionCreated"]);
});

test("a changed expiry is followed in place of the old one", async () => {
  const { clock, put, call, told } = await setUp();
  const version = await put("a", 90 * day);
  const exp = Math.floor(clock.now() / 1000) + 365 * day;
  await call("PATCH", `/secrets/a/${version}`, { attributes: { exp } });
  await clock.advance(300 * day * 1000);
  expect(told()).toHaveLength(1);
  await clock.advance(35 * day * 1000);
  expect(told().slice(1)).toEqual([["NearExpiry", version]]);
});

test("no timer asks for more than Node's timers can hold", async () => {
  const { clock, put } = await setUp();
  const longest = vi.spyOn(clock, "sleep");
  await put("a", 400 * day);
  await clock.advance(500 * day * 1000);
  expect(Math.max(...longest.mock.calls.map(([duration]) => duration))).toBeLessThan(2 ** 31);
});

test("a closed vault has no timers left", async () => {
  const { clock, put, service } = await setUp();
  await put("a", 90 * day);
  await put("b", day);
  expect(clock.sleepers).toBe(2);
  service.close();
  expect(clock.sleepers).toBe(0);
});

test("after the retention a deleted secret is gone by itself", async () => {
  const { clock, put, call } = await setUp();
  await put("a");
  await call("DELETE", "/secrets/a");
  expect((await call("PUT", "/secrets/a", { value: "x" })).status).toBe(409);
  await clock.advance(90 * day * 1000);
  expect((await call("GET", "/deletedsecrets/a")).status).toBe(404);
  expect((await call("PUT", "/secrets/a", { value: "x" })).status).toBe(200);
});
