import fc from "fast-check";
import { expect, test } from "vitest";
import { fieldsOf, parse, render } from "../../src/rotators/secret-text.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { aRotator } from "../rotation/decide/rules.ts";

const url = "postgresql://{username}:{password:url}@{host}:{port}/{database}";
const rotator = aRotator();

test("a connection string is rendered from the credential and the target", () => {
  const text = render(rotator, url, { id: "orders_b", value: new SecretValue("p@ss/word") });
  expect(text.reveal()).toBe("postgresql://orders_b:p%40ss%2Fword@db.example.org:5432/orders");
});

test("what was rendered is parsed back to the same credential, whatever the password", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.constantFrom("orders_a", "orders_b"), (password, id) => {
      fc.pre(password.isWellFormed());
      const text = render(rotator, url, { id, value: new SecretValue(password) });
      const found = parse(rotator, url, text);
      expect(found?.id).toBe(id);
      expect(found?.value.reveal()).toBe(password);
    }),
  );
});

test("a text that the template would not render is not understood, even if it is close", () => {
  const texts = [
    "postgresql://orders_c:x@db.example.org:5432/orders",
    "postgresql://orders_a:x@db.example.org:5433/orders",
    "postgresql://orders_a:x@db.example.org:5432/orders?sslmode=disable",
    "postgresql://orders_a:@db.example.org:5432/orders",
    "postgresql://orders_a:%zz@db.example.org:5432/orders",
    "postgresql://orders_a:a/b@db.example.org:5432/orders",
    "",
  ];
  for (const text of texts) expect(parse(rotator, url, new SecretValue(text))).toBeUndefined();
});

test("a bare value does not tell whose it is, unless there is only one it could be", () => {
  expect(parse(rotator, "{password}", new SecretValue("x"))?.id).toBe("");
  expect(parse(aRotator({ slots: ["orders_a"] }), "{password}", new SecretValue("x"))?.id).toBe("orders_a");
});

test("doubled braces are braces, and the template's fields are known", () => {
  const json = '{{"user":"{username}","password":"{password}"}}';
  const text = render(rotator, json, { id: "orders_a", value: new SecretValue("x") });
  expect(text.reveal()).toBe('{"user":"orders_a","password":"x"}');
  expect(parse(rotator, json, text)?.id).toBe("orders_a");
  expect(fieldsOf(json)).toEqual(["username", "password"]);
});

test("a template that cannot be read is refused", () => {
  for (const template of ["{password", "password}", "{password:base64}", "{}"]) {
    expect(() => fieldsOf(template)).toThrow(expect.objectContaining({ code: "invalid-policy" }));
  }
});

test("no error quotes the text", () => {
  const rotatorWithout = aRotator({ fields: () => ({}) });
  const canary = new SecretValue("canary-7f3a9b");
  expect(() => render(rotatorWithout, url, { id: "orders_a", value: canary })).toThrow(/username/);
  expect(() => render(rotatorWithout, url, { id: "orders_a", value: canary })).not.toThrow(/canary/);
});
