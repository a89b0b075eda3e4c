import { expect, test } from "vitest";
import { groupId, policyText, problemsOf, subscription, vaultId } from "./fixtures.ts";

/** Secrets start on line 7 of a file made by `policyText`, `head` is line 5, `scopes` line 4. */
interface Refused {
  readonly why: string;
  readonly text: string;
  /** Each problem as `line:column`, and part of what it says. */
  readonly problems: readonly (readonly [at: string, says: string])[];
}

function secret(lines: string): string {
  return policyText({ secrets: `  - vault: prod-kv\n    name: one\n    rotator: plain\n${lines}` });
}

function login(lines: string): string {
  return policyText({ secrets: `  - vault: prod-kv\n    name: one\n    rotator: login\n${lines}` });
}

const cases: Refused[] = [
  // The file as YAML
  {
    why: "an empty file",
    text: "",
    problems: [["1:1", "found nothing; expected a map with the keys version, cloud"]],
  },
  { why: "a list", text: "- 1", problems: [["1:1", "found a list; expected a map"]] },
  {
    why: "a key given twice",
    text: policyText({ head: "version: 1" }),
    problems: [["5:1", "this key is here twice"]],
  },
  {
    why: "an anchor and its alias",
    text: policyText({ head: "sweep: &x { every: 1h }\nworker: *x" }),
    problems: [
      ["5:11", "anchors (&) are not allowed"],
      ["6:9", "aliases (*) are not allowed"],
    ],
  },
  {
    why: "a merge key",
    text: policyText({ head: "<<: { cloud: china }" }),
    problems: [["5:1", "merge keys (<<)"]],
  },
  {
    why: "a tag",
    text: policyText({ head: "cloud: !!str public" }),
    problems: [["5:", "tags are not allowed; remove !!str"]],
  },
  {
    why: "a custom tag",
    text: policyText({ head: "cloud: !env CLOUD" }),
    problems: [["5:", "tags are not allowed; remove !env"]],
  },
  {
    why: "a second document",
    text: `${policyText()}\n---\nversion: 1\n`,
    problems: [["11:1", "a second document starts here"]],
  },
  { why: "a directive", text: `%YAML 1.1\n---\n${policyText()}`, problems: [["1:1", "no % directives"]] },
  {
    why: "a key that is no text",
    text: policyText({ head: "? [a]\n: b" }),
    problems: [["5:3", "a key must be plain text"]],
  },
  {
    why: "a key that JavaScript treats differently",
    text: policyText({ head: "__proto__: { a: 1 }" }),
    problems: [["5:1", "cannot have this name"]],
  },
  {
    why: "bad indentation",
    text: policyText({ head: "sweep:\n\tevery: 1h" }),
    problems: [["6:1", "not valid YAML"]],
  },
  {
    why: "a file that is too large",
    text: `# ${"x".repeat(1024 * 1024)}`,
    problems: [["1:1", "larger than 1 MiB"]],
  },
  // The parts on their own
  {
    why: "another version of the format",
    text: policyText().replace("version: 1", "version: 2"),
    problems: [["1:10", "version: found 2; expected 1"]],
  },
  {
    why: "an unknown cloud",
    text: policyText({ head: "cloud: azure" }),
    problems: [["5:8", 'found "azure"; expected public, usgovernment, china, custom']],
  },
  {
    why: "an unknown key",
    text: policyText({ head: "secret: []" }),
    problems: [["5:1", 'unknown key "secret"; expected one of version, cloud, vaults']],
  },
  {
    why: "an unknown key inside",
    text: secret("    valdity: 90d"),
    problems: [
      ["10:5", 'secrets[0].valdity (prod-kv/one): unknown key "valdity"; expected one of vault, name'],
    ],
  },
  {
    why: "a missing key",
    text: policyText({ secrets: "  - vault: prod-kv\n    name: one" }),
    problems: [["7:5", "secrets[0].rotator (prod-kv/one): missing; expected text"]],
  },
  {
    why: "a key without value",
    text: policyText({ head: "sweep:" }),
    problems: [["5:1", "sweep: found nothing; expected a map with the keys every"]],
  },
  {
    why: "no secrets",
    text: policyText({ secrets: " []" }).replace("secrets:\n []", "secrets: []"),
    problems: [["6:10", "found an empty list; expected at least one secret"]],
  },
  {
    why: "a duration in words",
    text: secret("    validity: 90 days"),
    problems: [["10:15", 'secrets[0].validity (prod-kv/one): found "90 days"; expected a duration']],
  },
  {
    why: "a duration without unit",
    text: secret("    validity: 90"),
    problems: [["10:15", "found 90; expected a duration"]],
  },
  {
    why: "a duration of zero where none makes sense",
    text: secret("    minInterval: 0d"),
    problems: [["10:18", "longer than zero"]],
  },
  {
    why: "a duration beyond ten years",
    text: secret("    validity: 4000d"),
    problems: [["10:15", "at most 3650d"]],
  },
  {
    why: "a vault id of another kind",
    text: policyText().replace(vaultId("prod-kv"), groupId("x")),
    problems: [["3:9", "expected the resource id of a vault"]],
  },
  {
    why: "a path in an id",
    text: policyText({ scopes: `scopes: ["${subscription}/resourceGroups/apps/../all"]` }),
    problems: [["4:10", "expected a subscription or resource group"]],
  },
  {
    why: "a group as scope",
    text: policyText({ scopes: `scopes: ["${groupId("x")}"]` }),
    problems: [["4:10", "expected a subscription or resource group"]],
  },
  ...(
    [
      ["rollout", "perGroupPerHour", "3", "5:12"],
      ["rollout", "perHour", "20", "5:12"],
      ["sweep", "warn", "21d", "5:10"],
      ["sweep", "page", "7d", "5:10"],
    ] as const
  ).map(([section, setting, value, place]) => ({
    why: `${section}.${setting}, which would bind nothing`,
    text: policyText({ head: `${section}: { ${setting}: ${value} }` }),
    problems: [[place, `${setting} is not supported yet; leave it out`]] as [string, string][],
  })),
  {
    why: "a name that Key Vault refuses",
    text: policyText().replace("session-key", "session_key"),
    problems: [["8:11", 'found "session_key"; expected 1 to 118 letters, digits or hyphens']],
  },
  {
    why: "a name without room for its candidate",
    text: policyText().replace("session-key", "x".repeat(119)),
    problems: [["8:11", "expected 1 to 118"]],
  },
  {
    why: "the name of a candidate",
    text: policyText().replace("session-key", "a--Pending"),
    problems: [["8:11", "does not end in --pending"]],
  },
  {
    why: "a dependent that is neither named nor discovered",
    text: secret("    dependents: [orders-api]"),
    problems: [["10:18", 'found "orders-api"; expected a map with group']],
  },
  {
    why: "a dependent with a typo",
    text: secret(`    dependents: [{ group: "${groupId("a")}", afer: [b] }]`),
    problems: [["10:", 'unknown key "afer"']],
  },
  // Parts held against each other
  {
    why: "a rotation loop from the defaults, told once",
    text: policyText({
      head: "defaults: { validity: 30d }",
      secrets:
        "  - { vault: prod-kv, name: one, rotator: plain }\n  - { vault: prod-kv, name: two, rotator: plain }",
    }),
    problems: [
      ["5:23", "defaults.validity: found a rotation loop: a version valid for 30d is due again after 0s"],
    ],
  },
  {
    why: "a rotation loop through a long overlap",
    text: secret("    overlap: 31d"),
    problems: [["10:14", "sooner than 2 x overlap (31d) = 62d; expected validity of at least 92d"]],
  },
  {
    why: "a rotation loop through an early due date",
    text: secret("    rotateBefore: 90d"),
    problems: [["10:19", "expected validity of at least 92d"]],
  },
  {
    why: "a rotation loop by one millisecond",
    text: secret("    validity: 2764799999ms\n    overlap: 1s\n    minInterval: 2d"),
    problems: [["10:15", "sooner than minInterval = 2d"]],
  },
  {
    why: "an unknown rotator",
    text: policyText().replace("plain", "magic"),
    problems: [["9:14", 'unknown rotator "magic"; expected one of login, plain']],
  },
  {
    why: "a target that the rotator refuses",
    text: login("    target: { host: 5, users: [] }"),
    problems: [
      ["10:21", "target.host (prod-kv/one): found 5; expected text"],
      ["10:31", "target.users (prod-kv/one): found an empty list; expected at least 1 entries"],
    ],
  },
  {
    why: "an unknown vault",
    text: policyText().replace("vault: prod-kv", "vault: test-kv"),
    problems: [["7:12", 'unknown vault "test-kv"; expected one of prod-kv']],
  },
  {
    why: "one vault twice",
    text: policyText().replace("vaults:", `vaults:\n  - id: ${vaultId("PROD-KV")}`),
    problems: [["4:9", "found vault prod-kv a second time"]],
  },
  {
    why: "one secret twice",
    text: policyText({
      secrets:
        "  - { vault: prod-kv, name: one, rotator: plain }\n  - { vault: PROD-kv, name: ONE, rotator: plain }",
    }),
    problems: [["8:29", "found prod-kv/one a second time; secrets[0] is the same secret"]],
  },
  {
    why: "one target twice",
    text: policyText({
      secrets:
        '  - { vault: prod-kv, name: one, rotator: login, target: { host: db, users: [a] } }\n  - { vault: prod-kv, name: two, rotator: login, target: { host: DB, users: [b, a] }, value: "{username}{password}" }',
    }),
    problems: [["8:58", "found a target that prod-kv/one (secrets[0]) rotates too: db/a"]],
  },
  {
    why: "a placeholder that the rotator does not fill",
    text: login('    target: { host: db, users: [a] }\n    value: "{user}:{password}"'),
    problems: [["11:12", "found {user}; expected only fields of login: {password}, {host}, {username}"]],
  },
  {
    why: "a template without the password",
    text: secret("    value: fixed"),
    problems: [["10:12", "found no {password}"]],
  },
  {
    why: "a lone brace in a template",
    text: secret('    value: "{password} }"'),
    problems: [["10:12", "single brace"]],
  },
  {
    why: "an unknown encoding in a template",
    text: secret('    value: "{password:json}"'),
    problems: [["10:12", "unknown encoding"]],
  },
  {
    why: "two credentials that the text cannot tell apart",
    text: login('    target: { host: db, users: [a, b] }\n    value: "{password}@{host}"'),
    problems: [["11:12", "found nothing that tells a from b; expected {username} in it"]],
  },
  {
    why: "two credentials with the rotator's own template",
    text: login("    target: { host: db, users: [a, b] }"),
    problems: [["7:5", "no value is set, so login uses {password}; set value"]],
  },
  {
    why: "a dependent out of scope",
    text: secret(`    dependents:\n      - group: ${groupId("x", `${subscription}/resourceGroups/apps-2`)}`),
    problems: [["11:16", "found x, which lies in none of the scopes"]],
  },
  {
    why: "ourselves as dependent",
    text: policyText({
      head: `self: ${groupId("keyturn")}`,
      secrets: `  - vault: prod-kv\n    name: one\n    rotator: plain\n    dependents:\n      - group: ${groupId("KEYTURN")}`,
    }),
    problems: [["11:16", "found keyturn's own group"]],
  },
  {
    why: "a dependent twice",
    text: secret(`    dependents:\n      - group: ${groupId("x")}\n      - group: ${groupId("X")}`),
    problems: [["12:9", "found x a second time"]],
  },
  {
    why: "discovery without scopes",
    text: policyText({
      scopes: "",
      secrets:
        "  - vault: prod-kv\n    name: one\n    rotator: plain\n    dependents: [{ discover: { tag: x } }]",
    }),
    problems: [["10:30", "discover without scopes"]],
  },
  {
    why: "an order after nobody",
    text: secret(`    dependents:\n      - group: ${groupId("x")}\n        after: [y]`),
    problems: [["12:17", 'found "y", which names no group']],
  },
  {
    why: "an order after itself",
    text: secret(`    dependents:\n      - group: ${groupId("x")}\n        after: [x]`),
    problems: [["12:17", "found a circle: x after x"]],
  },
  // Designed, not built
  {
    why: "another strategy",
    text: secret(`    dependents:\n      - group: ${groupId("x")}\n        strategy: signal`),
    problems: [["12:19", 'strategy "signal" is not supported yet; use restart']],
  },
  {
    why: "a probe",
    text: secret(
      `    dependents:\n      - group: ${groupId("x")}\n        probe: { url: "https://x.internal/health" }`,
    ),
    problems: [["12:9", "probe is not supported yet"]],
  },
  {
    why: "a canary",
    text: policyText({ head: "rollout: { canary: true }" }),
    problems: [["5:20", "canary: true is not supported yet"]],
  },
  {
    why: "two groups at a time",
    text: policyText({ head: "rollout: { maxUnavailable: 2 }" }),
    problems: [["5:28", "not supported yet"]],
  },
  {
    why: "windows",
    text: policyText({ head: 'windows: [{ days: [mon], from: "22:00", to: "05:00", zone: Europe/Berlin }]' }),
    problems: [["5:1", "windows are not supported yet"]],
  },
  {
    why: "webhooks",
    text: policyText({ head: "webhooks: []" }),
    problems: [["5:1", '"webhooks" is not supported yet']],
  },
  {
    why: "a window without end",
    text: policyText({ head: 'windows: [{ days: [mon], from: "22:00", to: "22:00", zone: UTC }]' }),
    problems: [["5:11", "whose from and to differ"]],
  },
  {
    why: "a window in no time zone",
    text: policyText({ head: 'windows: [{ days: [someday], from: "25:00", to: "05:00", zone: Mars/Base }]' }),
    problems: [
      ["5:20", "expected mon, tue"],
      ["5:36", "expected a time of day"],
      ["5:64", "expected a time zone"],
    ],
  },
];

test.each(cases)("refused is $why", ({ text, problems }) => {
  const found = problemsOf(text);

  expect(found).toHaveLength(problems.length);
  for (const [index, [at, says]] of problems.entries()) {
    expect(found[index]).toContain(`policy.yaml:${at}`);
    expect(found[index]).toContain(says);
  }
});

function pair(first: string, second: string): string {
  return `    rotator: plain
    dependents:
      - group: ${groupId(first)}
      - group: ${groupId(second)}
        after: [${first}]
`;
}

test("an order that only closes over two secrets is a circle too", () => {
  const one = `  - vault: prod-kv\n    name: one\n${pair("a", "b")}`;
  const two = `  - vault: prod-kv\n    name: two\n${pair("b", "a")}`;

  const found = problemsOf(policyText({ secrets: one + two }));

  expect(found).toHaveLength(1);
  expect(found[0]).toContain("policy.yaml:13:17");
  expect(found[0]).toContain("found a circle: b after a after b");
});
