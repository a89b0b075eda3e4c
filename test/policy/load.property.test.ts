import fc from "fast-check";
import { test } from "vitest";
import { stringify } from "yaml";
import { groupId, policyText, vaultId } from "./fixtures.ts";
import { isLoadedOrRefused } from "./loaded-or-refused.ts";

const good = policyText({
  head: 'rollout: { settle: 1s }\nwindows: []\nself: "/x"',
  secrets: `
  - vault: prod-kv
    name: one
    rotator: login
    target: { host: db, users: [a, b] }
    value: "{username}:{password}"
    dependents:
      - group: ${groupId("a")}
      - group: ${groupId("b")}
        after: [a]
      - discover: { tag: x }`,
});

test("whatever bytes the file holds, it is loaded or refused with places", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), isLoadedOrRefused), { numRuns: 300 });
});

test("whatever is cut from or pasted into a good file, it is loaded or refused with places", () => {
  const pasted = fc.constantFrom(
    "",
    " ",
    "\n",
    ":",
    "- ",
    "{",
    "[",
    "}",
    "&a",
    "*a",
    "!!map ",
    "<<: ",
    "---\n",
    "? ",
    "|",
    "'",
    '"',
    "#",
    "\t",
    "\0",
    "0",
    "null",
    "{{",
  );
  const cut = fc.tuple(fc.nat(good.length), fc.nat(30), pasted);
  fc.assert(
    fc.property(cut, ([at, length, paste]) => {
      isLoadedOrRefused(good.slice(0, at) + paste + good.slice(at + length));
    }),
    { numRuns: 500 },
  );
});

test("whatever shape the values have, it is loaded or refused with places", () => {
  const leaf = fc.oneof(
    fc.constantFrom("90d", "plain", "login", "prod-kv", "a", "{password}", groupId("a"), null, 0, -1, true),
    fc.string({ maxLength: 8 }),
  );
  const any = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("map")),
    map: fc.dictionary(
      fc.constantFrom(
        "id",
        "vault",
        "name",
        "rotator",
        "target",
        "value",
        "dependents",
        "group",
        "after",
        "discover",
        "tag",
        "validity",
        "x",
      ),
      tie("value"),
      { maxKeys: 5 },
    ),
  })).value;
  const part = fc.option(any, { nil: undefined });
  const file = fc.record(
    {
      version: fc.constantFrom(1, 2),
      vaults: fc.oneof(fc.constant([{ id: vaultId("prod-kv") }]), any),
      scopes: part,
      defaults: part,
      sweep: part,
      windows: part,
      secrets: fc.oneof(fc.array(any, { maxLength: 3 }), any),
    },
    { requiredKeys: ["secrets"] },
  );
  fc.assert(
    fc.property(file, (value) => isLoadedOrRefused(stringify(value, { aliasDuplicateObjects: false }))),
    { numRuns: 300 },
  );
});
