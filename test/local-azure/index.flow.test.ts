import { access } from "node:fs/promises";
import tls from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAzure, type LocalAzure } from "./index.ts";
import type { VaultState } from "./state.ts";

const vaultAudience = "https://vault.azure.net";
let azure: LocalAzure;
let vault: VaultState;

beforeAll(async () => {
  azure = await startAzure({ nearExpiryDelay: 1 });
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), azure.ca.pem]);
  vault = await azure.addVault("prod-kv");
  azure.addQueue("keyturn");
  azure.subscribe({
    name: "all",
    source: vault.id,
    queue: "keyturn",
    schema: "CloudEventSchemaV1_0",
    eventTypes: [],
  });
});

afterAll(() => azure.close());

async function putSecret(name: string, value: string, exp?: number): Promise<Response> {
  const { identity } = await azure.addIdentity(`writer-of-${name}`);
  azure.grant(identity.principalId, "Keyturn Secrets", vault.id);
  const { token } = await azure.tokens.issue(identity, vaultAudience);
  return await fetch(`${vault.url}/secrets/${name}?api-version=7.6`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ value, attributes: { exp } }),
  });
}

function eventTypes(): string[] {
  const messages = azure.state.queues.get("keyturn")?.messages ?? [];
  return messages.map(({ body }) => JSON.parse(Buffer.from(body).toString()).type);
}

test("a secret that is stored with less than 30 days to live is in the queue by itself", async () => {
  const soon = Math.floor(Date.now() / 1000) + 7 * 24 * 3600;
  expect((await putSecret("orders-db", "hunter2", soon)).status).toBe(200);
  await expect
    .poll(eventTypes)
    .toEqual(["Microsoft.KeyVault.SecretNewVersionCreated", "Microsoft.KeyVault.SecretNearExpiry"]);
});

test("a container reads a secret with an identity of its own, and no other one", async () => {
  await putSecret("greeting", "hello from the vault");
  const id = azure.groupId("apps", "reader");
  await azure.containers.put(id, {
    location: "westeurope",
    identity: { type: "SystemAssigned" },
    properties: {
      osType: "Linux",
      containers: [
        {
          name: "app",
          properties: {
            image: "example.invalid/app:1",
            command: ["node", "--input-type=module", "--eval", reader],
            environmentVariables: [
              { name: "SECRET", value: `${vault.url}/secrets/greeting?api-version=7.6` },
            ],
            resources: { requests: { cpu: 1, memoryInGB: 1 } },
          },
        },
      ],
    },
  });
  const group = azure.state.groups.get(id.toLowerCase());
  const log = () => group?.containers[0]?.log.join("\n");
  await expect.poll(log, { timeout: 60_000 }).toContain("403");
  azure.grant(group?.identity?.principalIds[0] ?? "", "Key Vault Secrets User", vault.id);
  await expect.poll(log, { timeout: 60_000 }).toContain("hello from the vault");
});

/** What a container would do with an SDK: a token from its own endpoint, then the secret, until it may read it. */
const reader = `
  const { AZURE_POD_IDENTITY_AUTHORITY_HOST: host, SECRET } = process.env;
  const query = "api-version=2018-02-01&resource=${vaultAudience}";
  setInterval(async () => {
    const token = await fetch(host + "/metadata/identity/oauth2/token?" + query, { headers: { Metadata: "true" } });
    const { access_token } = await token.json();
    const answer = await fetch(SECRET, { headers: { authorization: "Bearer " + access_token } });
    console.log(answer.status, (await answer.json()).value);
  }, 50);
`;

test("the worker's environment names every vault and endpoint", () => {
  expect(azure.workerEnvironment()).toMatchObject({
    KEYTURN_VAULTS: `prod-kv=${vault.url}`,
    KEYTURN_RESOURCE_MANAGER: azure.urls.resourceManager,
    KEYTURN_AUTHORITY: azure.urls.authority,
    KEYTURN_SERVICEBUS: azure.serviceBusHost,
  });
});

test("one endpoint serves several identities, and the same ones share it", async () => {
  const one = (await azure.addIdentity("one")).identity;
  const two = (await azure.addIdentity("two")).identity;
  const env = await azure.environmentFor([one.principalId, two.principalId]);
  expect(env).not.toHaveProperty("AZURE_CLIENT_ID");
  expect(await azure.environmentFor([one.principalId, two.principalId])).toEqual(env);
  const url = `${env.AZURE_POD_IDENTITY_AUTHORITY_HOST}/metadata/identity/oauth2/token/?api-version=2018-02-01`;
  const answer = await fetch(`${url}&resource=${vaultAudience}&client_id=${two.clientId}`, {
    headers: { metadata: "true" },
  });
  expect(await answer.json()).toMatchObject({ client_id: two.clientId });
});

test("the authority publishes the keys that its tokens are signed with", async () => {
  const base = `${azure.urls.authority}/${azure.state.tenantId}`;
  const configuration = await (await fetch(`${base}/v2.0/.well-known/openid-configuration`)).text();
  const { jwks_uri: keysUrl, issuer } = JSON.parse(configuration);
  expect(issuer).toBe(`https://sts.windows.net/${azure.state.tenantId}/`);
  expect(JSON.parse(await (await fetch(keysUrl)).text()).keys).toHaveLength(1);
});

test("unknown roles, unknown principals and a taken vault name are mistakes", async () => {
  const { identity } = await azure.addIdentity("somebody");
  expect(() => azure.grant(identity.principalId, "Key Vault Secrets Oficer", vault.id)).toThrow("no role");
  expect(() => azure.grant("nobody", "Owner", vault.id)).toThrow("no principal");
  await expect(azure.addVault("prod-kv")).rejects.toThrow("already");
});

test("closing ends every server and removes the folder", async () => {
  const other = await startAzure();
  const { url } = await other.addVault("other-kv");
  await other.close();
  await expect(fetch(url)).rejects.toThrow("fetch failed");
  await expect(fetch(other.urls.control)).rejects.toThrow("fetch failed");
  await expect(access(other.ca.file)).rejects.toThrow("ENOENT");
});
