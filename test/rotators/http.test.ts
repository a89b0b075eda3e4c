import { expect, test } from "vitest";
import { cryptoRandomInt } from "../../src/providers/password/generate.ts";
import { http } from "../../src/rotators/http.ts";

const target = {
  url: "https://rotate.internal.example:8443/partner-api",
  audience: "api://6f1c1d3e-0f2b-4a61-9c55-3a1d2f9e7b10",
  slots: ["key-a", "key-b"],
};

test("two slots overlap and take turns; one does not overlap", () => {
  expect(http.on(target)).toMatchObject({ overlap: "dual", slots: ["key-a", "key-b"] });
  expect(http.on({ ...target, slots: ["key"] })).toMatchObject({ overlap: "single", slots: ["key"] });
});

test("a target owns its slots at the endpoint", () => {
  expect(http.on(target).owns).toEqual([`${target.url}#key-a`, `${target.url}#key-b`]);
});

test("the slot is a field only if readers have to know it", () => {
  expect(http.on(target).fields("key-a")).toEqual({});
  expect(http.on({ ...target, named: true }).fields("key-a")).toEqual({ username: "key-a" });
});

test("a value has the length and the alphabet of the policy", () => {
  const bound = http.on({ ...target, length: 64, alphabet: "hex" });
  expect(bound.choose("key-b", cryptoRandomInt).value.reveal()).toMatch(/^[a-f][0-9a-f]{63}$/);
});

test.each([
  "https://host.example",
  "https://host.example/path",
  "https://host.example:8443/a/b-c",
  "https://10.1.2.3/rotate",
])("%s is a url", (url) => {
  expect(() => http.on({ ...target, url })).not.toThrow();
});

test.each([
  "http://host.example/path",
  "https://host.example/",
  "https://host.example/path/",
  "https://Host.example/path",
  "https://host.example:443/path",
  "https://host.example/a/../b",
  "https://user@host.example/path",
  "https://user:word@host.example/path",
  "https://host.example/path?a=b",
  "https://host.example/path#a",
  "https://host.example/a b",
  "ftp://host.example/path",
  "host.example",
])("%s is no url", (url) => {
  expect(() => http.on({ ...target, url })).toThrow("https URL");
});

test.each([
  "https://vault.azure.net",
  "https://management.azure.com",
  "https://graph.microsoft.com",
  "api://AzureADTokenExchange",
  "api://AzureADTokenExchangeUSGov",
  "00000003-0000-0000-c000-000000000000",
  "api://6F1C1D3E-0F2B-4A61-9C55-3A1D2F9E7B10",
  "api://6f1c1d3e-0f2b-4a61-9c55-3a1d2f9e7b10/.default/x",
])("a token for %s would be worth something elsewhere, and is refused", (audience) => {
  expect(() => http.on({ ...target, audience })).toThrow("application registration of your own");
});

test.each([
  [{ slots: [] }, "slots"],
  [{ slots: ["a", "b", "c"] }, "slots"],
  [{ slots: ["a", "a"] }, "must differ"],
  [{ slots: ["a/b"] }, "letters"],
  [{ length: 10 }, "bits"],
  [{ alphabet: "aab" }, "twice"],
  [{ method: "PUT" }, "method"],
])("a target with %j is refused: %s", (change, reason) => {
  expect(() => http.on({ ...target, ...change })).toThrow(reason);
});
