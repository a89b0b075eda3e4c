import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fault } from "../../src/errors.ts";
import { parseEvents, type VaultEvent } from "../../src/intake/parse-event.ts";
import { vaultId } from "../policy/fixtures.ts";
import { bytes, cloudEvent, eventData, gridEvent, policy, version } from "./fixtures.ts";

const parse = (body: unknown) => parseEvents(body, policy.vaults);
const codes = (body: unknown) => parse(body).map((one) => (one instanceof Fault ? one.code : "ok"));

function parseOne(event: unknown): VaultEvent {
  const [first] = parse(bytes(event));
  if (!first || first instanceof Fault) throw new Error(`refused: ${first?.message}`);
  return first;
}

const padded = (size: number) => bytes(cloudEvent()).toString().padEnd(size);

const secretId = (host: string) => `https://${host}/secrets/orders-db/${version}`;

const at = (host: string) => cloudEvent({ data: eventData({ Id: secretId(host) }) });

const expected: VaultEvent = {
  id: "7e1f0f4a-9d8c-4d27-8f3f-4f0a2d0c1b11",
  type: "Microsoft.KeyVault.SecretNearExpiry",
  vaultId: vaultId("prod-kv").toLowerCase(),
  name: "orders-db",
  version,
  subject: "orders-db",
};

describe("a good event", () => {
  it.each([
    ["in CloudEvents 1.0", cloudEvent()],
    ["in Event Grid's schema", gridEvent()],
    ["as an array of one", [gridEvent()]],
    ["as an array of one CloudEvent", [cloudEvent()]],
    [
      "without what the vault knows better",
      cloudEvent({ data: { Id: secretId("prod-kv.vault.azure.net") } }),
    ],
  ])("is read %s", (_, body) => {
    expect(parse(bytes(body))).toEqual([expected]);
  });

  it.each([
    ["null", null, null],
    ["numbers", 1_700_000_000, 1_770_000_000.5],
    ["numeric strings", "1700000000", "1770000000"],
    ["missing", undefined, undefined],
  ])("may have NBF and EXP as %s", (_, NBF, EXP) => {
    expect(parseOne(cloudEvent({ data: eventData({ NBF, EXP }) }))).toEqual(expected);
  });

  it("may have keys and values as the samples of its documentation show them", () => {
    const data = {
      id: `https://PROD-KV.vault.azure.net/secrets/orders-db/${version.toUpperCase()}`,
      vaultName: "PROD-KV",
      objectType: "secret",
      "ObjectName ": "Orders-DB",
      version: ` ${version}`,
      nbf: "1559081980",
      exp: "1559082102",
    };
    expect(parseOne(gridEvent({ data }))).toEqual(expected);
  });

  it.each(["SecretNearExpiry", "SecretExpired", "SecretNewVersionCreated"])("may be a %s", (name) => {
    const type = `Microsoft.KeyVault.${name}`;
    expect(parseOne(cloudEvent({ type })).type).toBe(type);
    expect(parseOne(gridEvent({ eventType: type })).type).toBe(type);
  });

  it("may start with a byte order mark", () => {
    expect(parse(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(cloudEvent())]))).toEqual([expected]);
  });

  it("is judged by itself in an array of several", () => {
    const body = [gridEvent(), gridEvent({ eventType: "Microsoft.KeyVault.KeyNearExpiry" }), 7, gridEvent()];
    expect(codes(bytes(body))).toEqual(["ok", "unknown-event-type", "message-invalid", "ok"]);
  });

  it("is recognised by the vault's own address where the cloud has other ones", () => {
    const vaults = policy.vaults.map((vault) => ({ ...vault, url: "https://localhost:8443" }));
    expect(parseEvents(bytes(at("localhost:8443")), vaults)).toEqual([expected]);
    expect(parseEvents(bytes(at("localhost:8444")), vaults)).toMatchObject([{ code: "message-invalid" }]);
  });
});

describe("a body", () => {
  it("is refused by its size before it is read", () => {
    expect(codes(Buffer.from(padded(65_536)))).toEqual(["ok"]);
    expect(codes(Buffer.from(padded(65_537)))).toEqual(["message-too-large"]);
    expect(codes(padded(65_537))).toEqual(["message-too-large"]);
    expect(codes("é".repeat(40_000))).toEqual(["message-too-large"]);
    expect(codes(Buffer.alloc(1_000_000, "["))).toEqual(["message-too-large"]);
  });

  it.each([
    ["empty", Buffer.alloc(0)],
    ["a text", Buffer.from("hello")],
    ["half a document", bytes(cloudEvent()).subarray(0, 200)],
    ["UTF-16", Buffer.from(JSON.stringify(cloudEvent()), "utf16le")],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ["10,000 brackets that nobody closes", Buffer.from("[".repeat(10_000))],
    ["a value of AMQP's own", 42],
    ["missing", undefined],
  ])("is not JSON when it is %s", (_, body) => {
    expect(codes(body)).toEqual(["message-not-json"]);
  });

  it.each([
    ["10,000 deep", Buffer.from("[".repeat(10_000) + "]".repeat(10_000))],
    ["10,000 deep in its data", Buffer.from(`{"a":`.repeat(10_000) + "1" + "}".repeat(10_000))],
    ["an empty array", bytes([])],
    ["an array of 20,000 ones", bytes(Array(20_000).fill(1))],
    ["null", bytes(null)],
    ["a number", bytes(1)],
    ["an object without anything", bytes({})],
    ["a prototype", Buffer.from(`{"__proto__":${bytes(cloudEvent()).toString()}}`)],
    ["a constructor", bytes({ constructor: { prototype: cloudEvent() } })],
  ])("is invalid when it is %s", (_, body) => {
    expect(codes(body)).toEqual(["message-invalid"]);
  });

  it("never becomes part of an object's prototype", () => {
    const event = { ...cloudEvent(), data: JSON.parse(`{"__proto__":{"polluted":true},"Id":"x"}`) };
    expect(codes(bytes(event))).toEqual(["message-invalid"]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect("polluted" in {}).toBe(false);
  });

  it.each([
    ["a key's expiry", "Microsoft.KeyVault.KeyNearExpiry"],
    ["a changed access policy", "Microsoft.KeyVault.VaultAccessPolicyChanged"],
    ["another service", "Microsoft.Storage.BlobCreated"],
    ["another case", "microsoft.keyvault.secretnearexpiry"],
  ])("is of an unknown type when it is about %s, whatever its data", (_, type) => {
    expect(codes(bytes(cloudEvent({ type, data: 7 })))).toEqual(["unknown-event-type"]);
    expect(codes(bytes(gridEvent({ eventType: type, data: 7 })))).toEqual(["unknown-event-type"]);
  });
});

describe("an event that contradicts itself", () => {
  const other = "fedcba9876543210fedcba9876543210";
  it.each([
    ["subject", cloudEvent({ subject: "billing-db" }), "subject"],
    ["ObjectName", cloudEvent({ data: eventData({ ObjectName: "billing-db" }) }), "data.ObjectName"],
    ["ObjectType", cloudEvent({ data: eventData({ ObjectType: "Key" }) }), "data.ObjectType"],
    ["Version", cloudEvent({ data: eventData({ Version: other }) }), "data.Version"],
    ["VaultName", cloudEvent({ data: eventData({ VaultName: "test-kv" }) }), "data.VaultName"],
    ["VaultName and source", cloudEvent({ source: vaultId("test-kv") }), "data.VaultName"],
  ])("is invalid by its %s", (_, event, field) => {
    const [fault] = parse(bytes(event));
    expect(fault).toMatchObject({ code: "message-invalid" });
    expect(fault).toHaveProperty("message", expect.stringContaining(field));
  });

  it.each([
    `https://evil-kv.vault.azure.net/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net.evil.example/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net.:443/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net:8443/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net@evil.example/secrets/orders-db/${version}`,
    `https://user:pass@prod-kv.vault.azure.net/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net%2eevil.example/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net\\@evil.example/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net#@evil.example/secrets/orders-db/${version}`,
    `https://xn--prod-kv-9fc.vault.azure.net/secrets/orders-db/${version}`,
    `https://prоd-kv.vault.azure.net/secrets/orders-db/${version}`,
    `https://ＰＲＯＤ-kv.vault.azure.net/secrets/orders-db/${version}`,
    `http://prod-kv.vault.azure.net/secrets/orders-db/${version}`,
    `//prod-kv.vault.azure.net/secrets/orders-db/${version}`,
    `https://169.254.169.254/secrets/orders-db/${version}`,
    `https://[::1]/secrets/orders-db/${version}`,
    `https://prod-kv.vault.azure.net/secrets/../keys/orders-db/${version}`,
    `https://prod-kv.vault.azure.net/secrets/orders-db/${version}/../..`,
    `https://prod-kv.vault.azure.net/secrets/orders-db/${version}?api-version=1`,
    `https://prod-kv.vault.azure.net/secrets/orders%2ddb/${version}`,
    `https://prod-kv.vault.azure.net/secrets/orders-db`,
    `https://prod-kv.vault.azure.net/secrets/orders-db/latest`,
    `https://prod-kv.vault.azure.net/keys/orders-db/${version}`,
    `https:/\n/prod-kv.vault.azure.net/secrets/orders-db/${version}`,
    "javascript:alert(1)",
    "https://",
    "x".repeat(10_000),
  ])("is invalid when its id is %s", (Id) => {
    expect(codes(bytes(cloudEvent({ data: eventData({ Id }) })))).toEqual(["message-invalid"]);
  });

  it("is invalid when one key stands there in two spellings", () => {
    const text = JSON.stringify(eventData()).replace("{", `{"objectname ":"billing-db",`);
    const event = { ...cloudEvent(), data: JSON.parse(text) };
    expect(codes(bytes(event))).toEqual(["message-invalid"]);
  });

  it.each([
    "",
    "/subscriptions/s",
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/prod-kv",
    `${vaultId("prod-kv")}/../other`,
  ])("is invalid when its source is no vault: %s", (source) => {
    expect(codes(bytes(cloudEvent({ source })))).toEqual(["message-invalid"]);
  });
});

describe("any body at all", () => {
  const hostile = fc.oneof(
    fc.json(),
    fc.string(),
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(cloudEvent(), gridEvent()).chain(mutated),
  );
  const known = [
    "ok",
    "message-too-large",
    "message-not-json",
    "message-invalid",
    "unknown-event-type",
  ] as const;

  it("gives events or listed faults, never an exception, and repeats none of its text", () => {
    const marker = "s3cr3t-marker";
    fc.assert(
      fc.property(hostile, (body) => {
        const raw = typeof body === "string" ? Buffer.from(`${body}${marker}`) : body;
        for (const results of [parse(body), parse(raw)]) {
          expect(results.length).toBeGreaterThan(0);
          for (const result of results) {
            expect(known).toContain(result instanceof Fault ? result.code : "ok");
            if (result instanceof Fault) expect(result.message).not.toContain(marker);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** A good event in which one field, of any depth, has become something else. */
function mutated(event: object): fc.Arbitrary<Uint8Array> {
  const data = Object.keys(eventData()).map((key) => ["data", key]);
  const paths = [...Object.keys(event).map((key) => [key]), ...data];
  return fc.record({ path: fc.constantFrom(...paths), value: fc.jsonValue() }).map(({ path, value }) => {
    const [first = "", second] = path;
    return bytes({ ...event, [first]: second ? eventData({ [second]: value }) : value });
  });
}
