import { expect, test } from "vitest";
import { policyJsonSchema } from "../../src/policy/schema.ts";

test("the JSON schema describes the file as it is written, defaults left out", () => {
  const schema = policyJsonSchema();

  expect(schema).toMatchObject({
    title: "keyturn policy",
    additionalProperties: false,
    required: ["version", "vaults", "secrets"],
    properties: {
      defaults: { properties: { validity: { type: "string", pattern: expect.any(String) } } },
      secrets: {
        type: "array",
        items: {
          required: ["vault", "name"],
          anyOf: [{ required: ["rotator"] }, { required: ["from"] }],
          properties: {
            name: { pattern: "^[0-9a-zA-Z-]{1,118}$" },
            dependents: {
              items: { anyOf: [{ required: ["group"] }, { required: ["discover"] }] },
            },
          },
        },
      },
    },
  });
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
