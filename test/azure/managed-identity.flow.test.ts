import type { AccessToken, TokenCredential } from "@azure/core-auth";
import { setDefaultCACertificates, getCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKeyVault } from "../../src/azure/key-vault.ts";
import { createCredential, type ManagedIdentity } from "../../src/azure/managed-identity.ts";
import { systemClock } from "../../src/clock.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { startAzure, type LocalAzure } from "../local-azure/index.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

const scope = "https://vault.azure.net/.default";

function scripted(...answers: (AccessToken | Error)[]): TokenCredential & { asked: number } {
  const source = {
    asked: 0,
    async getToken() {
      const answer = answers[Math.min(source.asked++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer ?? null;
    },
  };
  return source;
}
function network(): Error {
  return Object.assign(new Error("getaddrinfo"), { name: "CredentialUnavailableError" });
}

/** The SDK keeps source and tokens process-wide, so all these tests share one identity, in order. */
describe("managed identity on the platform's endpoint", () => {
  let azure: LocalAzure;
  let credential: ManagedIdentity;
  let principalId: string;

  const asked = () => azure.state.calls.filter(({ service }) => service === "identity").length;

  beforeAll(async () => {
    azure = await startAzure();
    setDefaultCACertificates([...getCACertificates("default"), azure.ca.pem]);
    const { identity, env } = await azure.addIdentity("worker");
    principalId = identity.principalId;
    Object.assign(process.env, env);
    credential = createCredential({ clientId: identity.clientId, clock: systemClock });
  });
  afterAll(() => azure?.close());

  it("has no token before the first call, and waits for an endpoint that is late", async () => {
    expect(credential.hasToken()).toBe(false);
    azure.state.faults.push({
      id: "late",
      service: "identity",
      match: ".",
      position: "before",
      status: 404,
      times: 2,
    });
    await credential.warmUp(scope);
    expect(credential.hasToken()).toBe(true);
    expect(asked()).toBe(3);
  });

  it("asks once for calls that run together, and not again while the token lives", async () => {
    const before = asked();
    const other = "https://management.azure.com/.default";
    const tokens = await Promise.all(Array.from({ length: 5 }, () => credential.getToken(other)));
    await credential.getToken(other);
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1);
    expect(asked()).toBe(before + 1);
  });

  it("reports a resource that Entra does not know as a fault without the server's text", async () => {
    const error: unknown = await credential
      .getToken("https://nothing.test/.default")
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "Fault", code: "unavailable" });
    expect(String(error)).toContain("https://nothing.test");
    expect(String(error)).not.toContain("AADSTS");
  });

  it("reads and writes a real vault on TLS", async () => {
    const { id, name, url } = await azure.addVault("prod-kv");
    azure.grant(principalId, "Keyturn Secrets", id);
    const vault = createKeyVault({ name, url, credential, verifyChallenge: false });
    const value = new SecretValue("over-the-wire");
    const { version } = await vault.publish("orders-db", { value, tags: { a: "b" } });
    const found = await vault.latest("orders-db");
    expect(found).toMatchObject({ version, tags: { a: "b" } });
    expect(found?.value.equals(value)).toBe(true);
    azure.state.faults.push({ id: "cut", service: "key-vault", match: "^GET", position: "lost", times: 1 });
    expect((await vault.latest("orders-db"))?.version).toBe(version);
  });
});

describe("managed identity", () => {
  const minutes = 60_000;

  it("goes on with a token that still works while the endpoint gives no answer", async () => {
    const clock = createVirtualClock();
    const token = { token: "t1", expiresOnTimestamp: clock.now() + 10 * minutes };
    const credential = createCredential({ clock, source: scripted(token, network()) });
    await credential.getToken(scope);
    expect(await credential.getToken(scope)).toBe(token);
    expect(credential.hasToken()).toBe(true);
    await clock.advance(9.5 * minutes);
    expect(credential.hasToken()).toBe(false);
    await expect(credential.getToken(scope)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("does not go on with a token that the other side has revoked", async () => {
    const clock = createVirtualClock();
    const token = { token: "t1", expiresOnTimestamp: clock.now() + 10 * minutes };
    const credential = createCredential({ clock, source: scripted(token, network()) });
    await credential.getToken(scope);
    await expect(credential.getToken(scope, { claims: "{}" })).rejects.toMatchObject({ code: "unavailable" });
  });

  it("gives up when the endpoint has not come for minutes", async () => {
    const clock = createVirtualClock();
    const source = scripted(network());
    const warmUp = createCredential({ clock, source }).warmUp(scope);
    const [ended] = await Promise.allSettled([warmUp, clock.advance(5 * minutes)]);
    expect(ended).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    expect(source.asked).toBe(8);
  });

  it("does not wait for what will not change", async () => {
    const denied = Object.assign(new Error("no"), { name: "AuthenticationError", statusCode: 400 });
    const source = scripted(denied);
    const clock = createVirtualClock();
    await expect(createCredential({ clock, source }).warmUp(scope)).rejects.toMatchObject({
      code: "unauthenticated",
    });
    expect(source.asked).toBe(1);
  });

  it("stops waiting when told to", async () => {
    const abort = new AbortController();
    const source = scripted(network());
    const warmUp = createCredential({ clock: systemClock, source }).warmUp(scope, abort.signal);
    abort.abort();
    await expect(warmUp).rejects.toMatchObject({ name: "AbortError" });
  });
});
