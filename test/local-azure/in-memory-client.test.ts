import { SecretClient } from "@azure/keyvault-secrets";
import { expect, test } from "vitest";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { inMemoryCredential, inMemoryHttpClient } from "./in-memory-client.ts";
import { createKeyVault } from "./key-vault.ts";
import { addIdentity, addVault, grant } from "./resources.ts";
import { createState, type FaultRule } from "./state.ts";
import { createTokenAuthority } from "./tokens.ts";

async function setUp() {
  const clock = createVirtualClock(Date.now());
  const state = createState(clock);
  const tokens = await createTokenAuthority(state);
  const vault = addVault(state, "prod-kv");
  const identity = addIdentity(state, "worker");
  grant(state, identity.principalId, "Key Vault Secrets Officer", vault.id);
  const service = createKeyVault(state, tokens, vault);
  const credential = inMemoryCredential(tokens, identity);
  const httpClient = inMemoryHttpClient(new Map([["prod-kv.vault.azure.net", service.handle]]));
  const client = (url = vault.url) =>
    new SecretClient(url, credential, { httpClient, retryOptions: { maxRetries: 0 } });
  return { clock, state, tokens, vault, identity, service, client, httpClient };
}

function fault(rule: Partial<FaultRule>): FaultRule {
  return { id: "fault", service: "key-vault", match: "PUT", position: "before", times: 1, ...rule };
}

test("the real SDK works without sockets, under real host names and with its challenge check on", async () => {
  const { client, vault } = await setUp();
  const { properties } = await client().setSecret("a", "1");
  expect(properties.id).toBe(`https://prod-kv.vault.azure.net/secrets/a/${properties.version}`);
  expect((await client().getSecret("a")).value).toBe("1");
  expect(vault.secrets.get("a")?.versions).toHaveLength(1);
});

test("a cut connection is an error of sending, after the effect if the answer was lost", async () => {
  const { client, state, vault } = await setUp();
  const one = client();
  await one.setSecret("warm", "up");
  state.faults.push(fault({ position: "lost" }));
  await expect(one.setSecret("a", "1")).rejects.toMatchObject({
    name: "RestError",
    code: "REQUEST_SEND_ERROR",
  });
  expect(vault.secrets.get("a")?.versions).toHaveLength(1);
});

test("a host that is not on the map is not found", async () => {
  const { client } = await setUp();
  await expect(client("https://other.vault.azure.net").getSecret("a")).rejects.toMatchObject({
    code: "ENOTFOUND",
  });
});

test("an abort ends a call that a slow service still works on", async () => {
  const { client, state, clock } = await setUp();
  const one = client();
  await one.setSecret("warm", "up");
  state.faults.push(fault({ delay: 5_000 }));
  const stop = new AbortController();
  const work = one.setSecret("a", "1", { abortSignal: stop.signal });
  await expect.poll(() => clock.sleepers).toBe(1);
  stop.abort();
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
  await clock.advance(5_000);
});

test("tokens expire on the state's clock", async () => {
  const { clock, tokens, identity, service, vault } = await setUp();
  const { token } = await tokens.issue(identity, "https://vault.azure.net", 60);
  const get = () =>
    service.handle(
      new Request(`${vault.url}/secrets?api-version=7.6`, { headers: { authorization: `Bearer ${token}` } }),
    );
  expect((await get()).status).toBe(200);
  await clock.advance(61_000);
  const refused = await get();
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
});
