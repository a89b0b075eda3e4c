import { ManagedIdentityCredential } from "@azure/identity";
import { isRestError, type RestError } from "@azure/core-rest-pipeline";
import { SecretClient } from "@azure/keyvault-secrets";
import tls from "node:tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startAzure, type IdentityWithEnvironment, type LocalAzure } from "./index.ts";
import type { FaultRule, VaultState } from "./state.ts";

// The real, unmodified SDK on real sockets. Its identity keeps source and cache process-wide: one identity per file.
let azure: LocalAzure;
let worker: IdentityWithEnvironment;
let vault: VaultState;
let client: SecretClient;
let count = 0;

beforeAll(async () => {
  azure = await startAzure({ nearExpiryDelay: 1 });
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), azure.ca.pem]);
  worker = await azure.addIdentity("worker");
  Object.assign(process.env, worker.env);
});

afterAll(() => azure.close());

beforeEach(async () => {
  vault = await azure.addVault(`vault-${++count}`);
  azure.grant(worker.identity.principalId, "Key Vault Secrets Officer", vault.id);
  client = clientOf(vault);
});

function clientOf(of: VaultState, options: { maxRetries?: number } = {}): SecretClient {
  const credential = new ManagedIdentityCredential({ clientId: worker.identity.clientId });
  return new SecretClient(of.url, credential, {
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: options.maxRetries ?? 0, retryDelayInMs: 1 },
  });
}

function addFault(rule: Omit<FaultRule, "id" | "service" | "times"> & { times?: number }): void {
  azure.state.faults.push({ id: "fault", service: "key-vault", times: 1, ...rule });
}

async function refusal(work: Promise<unknown>): Promise<{ status?: number; code?: string; inner?: string }> {
  const error = await work.then(
    () => expect.unreachable("it should have been refused"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error) || error.name !== "RestError") throw error;
  const {
    statusCode: status,
    code,
    details,
  } = error as RestError & {
    details?: { error?: { innerError?: { code?: string } } };
  };
  return { status, code, inner: details?.error?.innerError?.code };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a secret keeps value, content type, tags, dates and 32-digit versions under its vault's url", async () => {
  const expiresOn = new Date(1_900_000_000_000);
  const notBefore = new Date(1_800_000_000_000);
  const set = await client.setSecret("orders-db", "hunter2", {
    contentType: "text/plain",
    tags: { owner: "orders" },
    expiresOn,
    notBefore,
  });
  expect(set.properties).toMatchObject({
    name: "orders-db",
    vaultUrl: vault.url,
    version: expect.stringMatching(/^[0-9a-f]{32}$/),
    id: `${vault.url}/secrets/orders-db/${set.properties.version}`,
    contentType: "text/plain",
    tags: { owner: "orders" },
    enabled: true,
    expiresOn,
    notBefore,
    recoverableDays: 90,
    recoveryLevel: "Recoverable+Purgeable",
  });
  expect(set.properties.createdOn?.getMilliseconds()).toBe(0);
  expect((await client.getSecret("ORDERS-DB")).value).toBe("hunter2");
});

test("an unversioned get returns the newest version, and a version id its own", async () => {
  const first = await client.setSecret("a", "1");
  await client.setSecret("a", "2");
  expect((await client.getSecret("a")).value).toBe("2");
  expect((await client.getSecret("a", { version: first.properties.version })).value).toBe("1");
});

test("a new version starts with nothing of the version before", async () => {
  await client.setSecret("a", "1", { contentType: "text/plain", tags: { owner: "me" } });
  const { properties } = await client.setSecret("a", "2");
  expect(properties).toMatchObject({ contentType: undefined, tags: {}, expiresOn: undefined });
});

test("what does not exist is not found", async () => {
  await client.setSecret("a", "1");
  const notFound = { status: 404, code: "SecretNotFound" };
  expect(await refusal(client.getSecret("b"))).toMatchObject(notFound);
  expect(await refusal(client.getSecret("a", { version: "0".repeat(32) }))).toMatchObject(notFound);
  expect(await refusal(all(client.listPropertiesOfSecretVersions("b")))).toMatchObject({ status: 404 });
  expect(await refusal(client.getDeletedSecret("a"))).toMatchObject(notFound);
});

test("an update changes what it names, tags as a whole, and never the value", async () => {
  const { properties } = await client.setSecret("a", "1", {
    contentType: "text/plain",
    tags: { x: "1", y: "2" },
  });
  const expiresOn = new Date(1_900_000_000_000);
  const updated = await client.updateSecretProperties("a", properties.version ?? "", {
    tags: { z: "3" },
    expiresOn,
  });
  expect(updated).toMatchObject({ tags: { z: "3" }, contentType: "text/plain", expiresOn, enabled: true });
  expect(updated.tags).toEqual({ z: "3" });
  expect((await client.getSecret("a")).value).toBe("1");
});

test("a disabled latest version breaks plain reads, and an older one does not stand in", async () => {
  const first = await client.setSecret("a", "1");
  const second = await client.setSecret("a", "2");
  await client.updateSecretProperties("a", second.properties.version ?? "", { enabled: false });
  expect(await refusal(client.getSecret("a"))).toEqual({
    status: 403,
    code: "Forbidden",
    inner: "SecretDisabled",
  });
  expect((await client.getSecret("a", { version: first.properties.version })).value).toBe("1");
});

test("sixty versions come in pages of at most 25, each once", async () => {
  const made = new Set<string | undefined>();
  for (let index = 0; index < 60; index++) made.add((await client.setSecret("a", "x")).properties.version);
  const pages = await all(client.listPropertiesOfSecretVersions("a").byPage());
  expect(pages.map((page) => page.length)).toEqual([25, 25, 10]);
  expect(new Set(pages.flat().map(({ version }) => version))).toEqual(made);
});

test("a list of secrets tells the latest attributes without a version, and obeys the page size", async () => {
  for (const name of ["a", "b", "c"]) await client.setSecret(name, "old");
  await client.setSecret("b", "new", { tags: { latest: "yes" } });
  const pages = await all(client.listPropertiesOfSecrets().byPage({ maxPageSize: 2 }));
  expect(pages.map((page) => page.map(({ name }) => name))).toEqual([["a", "b"], ["c"]]);
  expect(pages[0]?.[1]).toMatchObject({ version: undefined, tags: { latest: "yes" } });
});

test("a deleted secret blocks its name until it is recovered", async () => {
  const { properties } = await client.setSecret("a", "1");
  const poller = await client.beginDeleteSecret("a", { intervalInMs: 1 });
  const deleted = await poller.pollUntilDone();
  expect(deleted.recoveryId).toBe(`${vault.url}/deletedsecrets/a`);
  expect(deleted.deletedOn).toBeInstanceOf(Date);
  expect(await refusal(client.setSecret("a", "2"))).toEqual({
    status: 409,
    code: "Conflict",
    inner: "ObjectIsDeletedButRecoverable",
  });
  expect(await refusal(client.getSecret("a"))).toMatchObject({ status: 404 });
  expect((await all(client.listDeletedSecrets())).map(({ name }) => name)).toEqual(["a"]);
  await (await client.beginRecoverDeletedSecret("a", { intervalInMs: 1 })).pollUntilDone();
  expect(await client.getSecret("a")).toMatchObject({
    value: "1",
    properties: { version: properties.version },
  });
});

test("a purged secret is gone and its name is free", async () => {
  await client.setSecret("a", "1");
  await (await client.beginDeleteSecret("a", { intervalInMs: 1 })).pollUntilDone();
  await client.purgeDeletedSecret("a");
  expect(await refusal(client.getDeletedSecret("a"))).toMatchObject({ status: 404 });
  await client.setSecret("a", "2");
  expect(await all(client.listPropertiesOfSecretVersions("a"))).toHaveLength(1);
});

test("purge protection refuses to purge", async () => {
  const guarded = await azure.addVault("guarded", { purgeProtection: true });
  azure.grant(worker.identity.principalId, "Key Vault Secrets Officer", guarded.id);
  const guardedClient = clientOf(guarded);
  await guardedClient.setSecret("a", "1");
  await (await guardedClient.beginDeleteSecret("a", { intervalInMs: 1 })).pollUntilDone();
  expect(await refusal(guardedClient.purgeDeletedSecret("a"))).toMatchObject({ status: 403 });
});

test("a backup brings all versions back, but not over a secret that exists", async () => {
  const first = await client.setSecret("a", "1");
  await client.setSecret("a", "2", { tags: { kept: "yes" } });
  const backup = (await client.backupSecret("a")) ?? new Uint8Array();
  expect(await refusal(client.restoreSecretBackup(backup))).toMatchObject({ status: 409 });
  await (await client.beginDeleteSecret("a", { intervalInMs: 1 })).pollUntilDone();
  await client.purgeDeletedSecret("a");
  expect(await client.restoreSecretBackup(backup)).toMatchObject({ name: "a", tags: { kept: "yes" } });
  expect((await client.getSecret("a", { version: first.properties.version })).value).toBe("1");
  expect(await refusal(client.restoreSecretBackup(new Uint8Array(64)))).toMatchObject({ status: 400 });
});

test("names, sizes and tags beyond the limits are bad parameters", async () => {
  const bad = { status: 400, code: "BadParameter" };
  const sixteen = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`tag${index}`, ""]));
  expect(await refusal(client.setSecret("under_score", "1"))).toMatchObject(bad);
  expect(await refusal(client.setSecret("a".repeat(128), "1"))).toMatchObject(bad);
  expect(await refusal(client.setSecret("a", "x".repeat(25 * 1024 + 1)))).toMatchObject(bad);
  expect(await refusal(client.setSecret("a", "1", { tags: sixteen }))).toMatchObject(bad);
  expect(await refusal(client.setSecret("a", "1", { tags: { long: "x".repeat(257) } }))).toMatchObject(bad);
  await client.setSecret("a".repeat(127), "x".repeat(25 * 1024));
});

test("a policy of the vault refuses writes without expiry or content type", async () => {
  const forbidden = { status: 403, code: "Forbidden", inner: "ForbiddenByPolicy" };
  vault.policy = { requireExpiry: true, requireContentType: true, maxValidity: 90 * 24 * 3600 };
  const expiresOn = new Date(Date.now() + 60 * 24 * 3600 * 1000);
  const later = new Date(Date.now() + 91 * 24 * 3600 * 1000);
  const contentType = "text/plain";
  expect(await refusal(client.setSecret("a", "1", { contentType }))).toEqual(forbidden);
  expect(await refusal(client.setSecret("a", "1", { expiresOn }))).toEqual(forbidden);
  expect(await refusal(client.setSecret("a", "1", { contentType, expiresOn: later }))).toEqual(forbidden);
  expect(vault.secrets.size).toBe(0);
  await client.setSecret("a", "1", { contentType, expiresOn });
});

test("an operation without a role for it is forbidden, and says which one", async () => {
  await client.setSecret("a", "1");
  const given = azure.state.roleAssignments;
  given.splice(0, given.length, {
    principalId: worker.identity.principalId,
    role: "Keyturn Secrets",
    scope: vault.id,
  });
  const { properties } = await client.setSecret("a", "2");
  await client.updateSecretProperties("a", properties.version ?? "", { tags: { x: "1" } });
  expect(await all(client.listPropertiesOfSecrets())).toHaveLength(1);
  await expect(client.beginDeleteSecret("a")).rejects.toThrow(/Microsoft.KeyVault\/vaults\/secrets\/delete/);
  expect(await refusal(client.backupSecret("a"))).toEqual({
    status: 403,
    code: "Forbidden",
    inner: "ForbiddenByRbac",
  });
});

test("a role on one secret does not open its neighbour", async () => {
  const narrow = await azure.addVault("narrow");
  azure.grant(worker.identity.principalId, "Keyturn Secrets", `${narrow.id}/secrets/mine`);
  const narrowClient = clientOf(narrow);
  await narrowClient.setSecret("mine", "1");
  expect(await refusal(narrowClient.setSecret("mine-too", "1"))).toMatchObject({ status: 403 });
});

test("a fault before the effect leaves nothing behind", async () => {
  await client.setSecret("warm", "up");
  addFault({ match: "PUT /secrets/a", position: "before", status: 503, code: "ServiceUnavailable" });
  expect(await refusal(client.setSecret("a", "1"))).toMatchObject({
    status: 503,
    code: "ServiceUnavailable",
  });
  expect(vault.secrets.has("a")).toBe(false);
});

test("a fault after the effect hides what happened", async () => {
  await client.setSecret("warm", "up");
  addFault({ match: "PUT /secrets/a", position: "after", status: 500 });
  expect(await refusal(client.setSecret("a", "1"))).toMatchObject({ status: 500 });
  expect(vault.secrets.get("a")?.versions).toHaveLength(1);
});

test("a lost answer cuts the connection after the effect, and the SDK's retry makes a second version", async () => {
  await client.setSecret("warm", "up");
  addFault({ match: "PUT /secrets/a", position: "lost" });
  await expect(client.setSecret("a", "1")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(vault.secrets.get("a")?.versions).toHaveLength(1);

  const retrying = clientOf(vault, { maxRetries: 3 });
  await retrying.getSecret("warm");
  addFault({ match: "PUT /secrets/b", position: "lost" });
  await retrying.setSecret("b", "1");
  expect(vault.secrets.get("b")?.versions).toHaveLength(2);
});

test("over the limit of creations the vault says when to come back, and refused calls cost nothing", async () => {
  await client.setSecret("warm", "up");
  azure.state.limits = true;
  try {
    for (let index = 0; index < 300; index++) await client.setSecret("a", "x");
    const error = await client.setSecret("a", "x").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ statusCode: 429, code: "Throttled" });
    const retryAfter = isRestError(error) ? error.response?.headers.get("retry-after") : undefined;
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(Number(retryAfter)).toBeLessThanOrEqual(10);
    // Reads have a limit of their own.
    await client.getSecret("a");
  } finally {
    azure.state.limits = false;
  }
});

test("every answered call is on record with its caller, and without a value", async () => {
  await client.setSecret("a", "hunter2");
  const call = azure.state.calls.findLast(({ service, status }) => service === "key-vault" && status === 200);
  expect(call).toMatchObject({ call: "PUT /secrets/a", principalId: worker.identity.principalId });
  expect(JSON.stringify(azure.state.calls)).not.toContain("hunter2");
});
