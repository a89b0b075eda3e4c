import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSignSas, type SasGrant } from "../../../src/providers/azure-keys/storage-sas.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { createDataPlane } from "../../local-azure/keys/data-plane.ts";
import { addKeyedResource, keyNamed, regenerate } from "../../local-azure/keys/resources.ts";
import { createState } from "../../local-azure/state.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const key = new SecretValue(Buffer.from("a key of the account").toString("base64"));
const expiresAt = Date.UTC(2027, 0, 2, 3, 4, 5, 678);
const sign = createSignSas("orders");
const account: SasGrant = { kind: "account", services: "bq", resourceTypes: "sc", permissions: "rl" };
const container: SasGrant = { kind: "container", container: "inbox", permissions: "rl" };

function hmac(text: string): string {
  return createHmac("sha256", "a key of the account").update(text).digest("base64");
}

describe("a shared access signature", () => {
  test("of an account signs the text that Azure documents, in its order, and says the same in its query", () => {
    const text = "orders\nrl\nbq\nsc\n\n2027-01-02T03:04:05Z\n\nhttps\n2021-12-02\n\n";
    expect(Object.fromEntries(new URLSearchParams(sign(account, key, expiresAt).reveal()))).toEqual({
      sv: "2021-12-02",
      ss: "bq",
      srt: "sc",
      sp: "rl",
      se: "2027-01-02T03:04:05Z",
      spr: "https",
      sig: hmac(text),
    });
  });

  test("of a container does so too", () => {
    const text = "rl\n\n2027-01-02T03:04:05Z\n/blob/orders/inbox\n\n\nhttps\n2021-12-02\nc\n\n\n\n\n\n\n";
    expect(Object.fromEntries(new URLSearchParams(sign(container, key, expiresAt).reveal()))).toEqual({
      sv: "2021-12-02",
      sr: "c",
      sp: "rl",
      se: "2027-01-02T03:04:05Z",
      spr: "https",
      sig: hmac(text),
    });
  });

  test("is the same when it is made again, and another for any other key, end or grant", () => {
    const texts = fc.uniqueArray(fc.base64String({ minLength: 4 }), { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(texts, fc.constantFrom(account, container), ([one = "", other = ""], grant) => {
        const made = sign(grant, new SecretValue(one), expiresAt);
        expect(sign(grant, new SecretValue(one), expiresAt).equals(made)).toBe(true);
        expect(sign(grant, new SecretValue(other), expiresAt).equals(made)).toBe(false);
        expect(sign(grant, new SecretValue(one), expiresAt + 1_000).equals(made)).toBe(false);
        const more = { ...grant, permissions: "rwl" };
        expect(sign(more, new SecretValue(one), expiresAt).equals(made)).toBe(false);
      }),
    );
  });
});

describe("at the storage account", () => {
  const clock = createVirtualClock();
  const state = createState(clock);
  const resource = addKeyedResource(state, "Microsoft.Storage/storageAccounts/orders");
  const serve = createDataPlane(state, resource);
  const end = clock.now() + 3_600_000;
  const properties = "https://orders.blob.core.windows.net/?restype=service&comp=properties";
  const list = (name: string) => `https://orders.blob.core.windows.net/${name}?restype=container&comp=list`;

  async function status(address: string, grant: SasGrant): Promise<number> {
    const sas = sign(grant, new SecretValue(keyNamed(resource, "key1").value), end).reveal();
    return (await serve(new Request(`${address}&${sas}`))).status;
  }

  test("it lets in for what it grants, and for nothing else", async () => {
    expect(await status(properties, account)).toBe(200);
    expect(await status(properties, { ...account, permissions: "l" })).toBe(403);
    expect(await status(properties, { ...account, services: "q" })).toBe(403);
    expect(await status(list("inbox"), container)).toBe(200);
    expect(await status(list("outbox"), container)).toBe(403);
    expect(await status(properties, container)).toBe(403);
  });

  test("it dies with the key that signed it, and at its end", async () => {
    const sas = sign(account, new SecretValue(keyNamed(resource, "key1").value), end).reveal();
    const ask = async () => (await serve(new Request(`${properties}&${sas}`))).status;
    regenerate(resource, keyNamed(resource, "key2"), clock);
    expect(await ask()).toBe(200);
    regenerate(resource, keyNamed(resource, "key1"), clock);
    expect(await ask()).toBe(403);
    expect(await status(properties, account)).toBe(200);
    await clock.advance(3_600_001);
    expect(await status(properties, account)).toBe(403);
  });
});
