import { expect, test } from "vitest";
import type { KeyVault, StoredSecret } from "../../../src/azure/key-vault.ts";
import { Fault } from "../../../src/errors.ts";
import type { SecretPolicy } from "../../../src/policy/policy.ts";
import { readVersion } from "../../../src/rotation/observe/credential.ts";
import { factsOf, observeHistory } from "../../../src/rotation/observe/history.ts";
import { rotationId } from "../../../src/rotation/record/rotation-id.ts";
import { type VersionRecord, writeRecord } from "../../../src/rotation/record/tags.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { load, policyText } from "../../policy/fixtures.ts";

const { signal } = new AbortController();
const secret = theSecret();
const ids = { a: "a".repeat(32), b: "b".repeat(32), c: "c".repeat(32), d: "d".repeat(32) };
type Name = keyof typeof ids;

function theSecret(): SecretPolicy {
  const [first] = load(policyText()).secrets;
  if (!first) throw new Error("the policy has no secret");
  return first;
}

/** A version that is named by one letter, a second after the one before it in the alphabet. */
function version(name: Name, change: Partial<StoredSecret> = {}): StoredSecret {
  const createdAt = 1_000 * "abcd".indexOf(name);
  const base = { name: secret.name, version: ids[name], enabled: true, createdAt, tags: {} };
  return { ...base, value: new SecretValue(`value of ${name}`), ...change };
}

function madeFrom(name: Name, record: VersionRecord = {}): StoredSecret["tags"] {
  const from = ids[name];
  const rotation = rotationId(secret.vault.id, secret.name, from);
  return writeRecord({}, { rotation, from, state: "published", ...record });
}

interface Given {
  readonly pending?: StoredSecret;
  /** Disabled since the versions were listed. */
  readonly meanwhile?: Name;
}

/** What is observed if the last of these is latest. */
async function historyOf(versions: readonly StoredSecret[], { pending, meanwhile }: Given = {}) {
  const read: string[] = [];
  const never = () => Promise.reject(new Fault("forbidden", "not asked here"));
  const vault: KeyVault = {
    latest: never,
    versions: never,
    publish: never,
    update: never,
    async *list() {},
    async get(_, wanted) {
      read.push(wanted);
      const found = versions.find((each) => each.version === wanted);
      const isDisabled = !found?.enabled || (meanwhile && found.version === ids[meanwhile]);
      if (isDisabled) throw new Fault("secret-disabled", "disabled");
      return found;
    },
  };
  const present = {
    secret,
    vault,
    versions,
    latest: readVersion(secret, versions.at(-1)),
    pending: readVersion(secret, pending),
  };
  const { replaced, overtaken, ...rest } = await observeHistory(present, signal);
  const textOf = (place: typeof replaced) => place?.read?.stored.value?.reveal();
  const names = { replaced: replaced?.version.version, overtaken: overtaken?.version.version };
  return { ...rest, ...names, replacedText: textOf(replaced), overtakenText: textOf(overtaken), read };
}

test("nothing came before a secret that is not there", async () => {
  expect(await historyOf([])).toMatchObject({
    lineage: "foreign",
    replaced: undefined,
    overtaken: undefined,
  });
});

test("what our rotation replaced is read until the rotation is closed", async () => {
  const ours = version("b", { tags: madeFrom("a") });
  expect(await historyOf([version("a"), ours])).toMatchObject({
    lineage: "ours",
    replaced: ids.a,
    replacedText: "value of a",
  });
  const closed = version("b", { tags: madeFrom("a", { state: "retired" }) });
  expect(await historyOf([version("a"), closed])).toMatchObject({
    lineage: "ours",
    replaced: ids.a,
    replacedText: undefined,
    read: [],
  });
});

test("a replaced version that is disabled is a fact without a value, whenever it was disabled", async () => {
  const ours = version("b", { tags: madeFrom("a") });
  const expected = { replaced: ids.a, replacedText: undefined };
  expect(await historyOf([version("a", { enabled: false }), ours])).toMatchObject({ ...expected, read: [] });
  expect(await historyOf([version("a"), ours], { meanwhile: "a" })).toMatchObject({
    ...expected,
    read: [ids.a],
  });
});

test("what somebody stores while we publish is in between, if latest holds the very text that was parked", async () => {
  const ours = version("c", { tags: madeFrom("a") });
  const pending = version("d", {
    tags: madeFrom("a", { state: "parked" }),
    value: new SecretValue("value of c"),
  });
  const versions = [version("a"), version("b"), ours];
  expect(await historyOf(versions, { pending })).toMatchObject({
    lineage: "ours",
    replaced: ids.a,
    between: [ids.b],
  });
});

test("tags that somebody has copied onto another value make it nobody's but his", async () => {
  const copied = version("c", { tags: madeFrom("a") });
  const versions = [version("a"), version("b"), copied];
  const otherText = version("d", { tags: madeFrom("a") });
  expect(await historyOf(versions, { pending: otherText })).toMatchObject({
    lineage: "foreign",
    between: [],
  });
  const otherRotation = version("d", { tags: madeFrom("b"), value: new SecretValue("value of c") });
  expect(await historyOf(versions, { pending: otherRotation })).toMatchObject({ lineage: "foreign" });
  expect(await historyOf(versions)).toMatchObject({ lineage: "foreign" });
});

test("what somebody stored latest on top of is read, and what that had replaced", async () => {
  const ours = version("b", { tags: madeFrom("a") });
  expect(await historyOf([version("a"), ours, version("c")])).toMatchObject({
    lineage: "foreign",
    overtaken: ids.b,
    overtakenText: "value of b",
    replaced: ids.a,
    replacedText: "value of a",
  });
});

test("what was overtaken matters no more once it and what it replaced are disabled", async () => {
  const a = version("a", { enabled: false });
  const b = version("b", { tags: madeFrom("a"), enabled: false });
  expect(await historyOf([a, b, version("c")])).toMatchObject({ overtaken: undefined, replaced: undefined });
  const stillOpen = version("b", { tags: madeFrom("a") });
  expect(await historyOf([a, stillOpen, version("c")])).toMatchObject({ overtaken: ids.b, replaced: ids.a });
});

test("the version that a candidate was to replace is known by the candidate, unless that is latest", async () => {
  const pending = version("d", { tags: madeFrom("a", { state: "parked" }) });
  const foreign = { lineage: "foreign", overtaken: undefined };
  expect(await historyOf([version("a"), version("b")], { pending })).toMatchObject({
    ...foreign,
    replaced: ids.a,
  });
  expect(await historyOf([version("a")], { pending })).toMatchObject({ ...foreign, replaced: undefined });
  const untagged = version("d");
  expect(await historyOf([version("a"), version("b")], { pending: untagged })).toMatchObject({
    replaced: undefined,
  });
});

test("the facts of an earlier version are those of what could be read of it", () => {
  const stored = version("a");
  expect(factsOf({ version: stored, read: readVersion(secret, stored) })).toMatchObject({
    version: ids.a,
    credentialId: "",
  });
  expect(factsOf({ version: stored, read: undefined })).toMatchObject({
    version: ids.a,
    credentialId: undefined,
  });
  expect(factsOf(undefined)).toBeUndefined();
});
