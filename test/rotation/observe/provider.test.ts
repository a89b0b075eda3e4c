import { expect, test } from "vitest";
import type { Policy, SecretPolicy } from "../../../src/policy/policy.ts";
import type { Latest } from "../../../src/rotation/model/observation.ts";
import type { ReadVersion, Snapshot } from "../../../src/rotation/model/snapshot.ts";
import { observeProvider } from "../../../src/rotation/observe/provider.ts";
import { observeSecret } from "../../../src/rotation/observe/secret.ts";
import type {
  BoundRotator,
  Credential,
  RotatorContext,
  RotatorObservation,
} from "../../../src/rotators/rotator.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { azureKey } from "../../crash/scenarios/azure-key.ts";
import { createWorld } from "../../crash/world.ts";
import { publishedWorld } from "../../rollout/published.ts";
import { latest, parked, replaced, seen } from "../decide/facts.ts";
import { aRotator } from "../decide/rules.ts";

const { signal } = new AbortController();

function secretOf({ secrets: [secret] }: Policy): SecretPolicy {
  if (!secret) throw new Error("the policy has no secret");
  return secret;
}

function version(password: string, id: string, tag?: string): ReadVersion {
  const tags: Record<string, string> = tag === undefined ? {} : { "keyturn-credential": tag };
  const stored = { name: "orders-db", version: "a".repeat(32), enabled: true, createdAt: 0, tags };
  return { stored, credential: { id, value: new SecretValue(password) } };
}

type Read = Pick<Snapshot, "latest" | "pending" | "replaced" | "overtaken">;

/** Observes a provider that answers this; with what it was asked about. */
async function observed(
  answer: Partial<RotatorObservation>,
  read: Partial<Read>,
  change: Partial<BoundRotator> & { readonly latest?: Latest } = {},
) {
  const { latest: fact = latest({ credentialId: "" }), ...rotator } = change;
  const asked: { known: readonly Credential[]; label: string | undefined }[] = [];
  const observe = async (known: readonly Credential[], { label }: RotatorContext) => {
    asked.push({ known, label });
    return { exists: ["orders_a", "orders_b"], accepts: known.map(() => "unknown" as const), ...answer };
  };
  const { ports } = publishedWorld("\n  - { vault: prod-kv, name: orders-db, rotator: plain }");
  const secret = { ...secretOf(ports.policy), rotator: aRotator({ ...rotator, observe }) };
  const snapshot: Snapshot = {
    latest: undefined,
    pending: undefined,
    replaced: undefined,
    derived: [],
    ...read,
    facts: seen({
      latest: fact,
      ...(read.pending && { pending: { ...parked, credentialId: "" } }),
      ...(read.replaced && { replaced: { ...replaced, credentialId: "" } }),
      ...(read.overtaken && { overtaken: { ...replaced, credentialId: "" } }),
    }),
  };
  return { ...(await observeProvider(secret, snapshot, ports, signal)), asked };
}

test("the provider is asked once about every credential that is held, under keyturn's label for the secret", async () => {
  const read = { latest: version("one", "orders_a"), pending: version("two", "orders_b") };
  const { asked } = await observed({}, { ...read, replaced: { ...version("", ""), credential: undefined } });
  expect(asked).toHaveLength(1);
  expect(asked[0]?.label).toBe("keyturn:prod-kv/orders-db");
  expect(asked[0]?.known.map(({ value }) => value.reveal())).toEqual(["one", "two"]);
});

test("each answer is that of the credential that it was given for; where none was asked about it is unknown", async () => {
  const read = { pending: version("two", "orders_b"), overtaken: version("three", "orders_a") };
  const { facts } = await observed({ accepts: ["rejected", "accepted"] }, read);
  expect(facts.provider).toMatchObject({
    latest: "unknown",
    pending: "rejected",
    replaced: "unknown",
    overtaken: "accepted",
  });
});

test("slots that the provider does not have are missing, and what our minting left behind is listed", async () => {
  const answer = { exists: ["orders_b"], orphans: ["left-behind"] };
  const { facts } = await observed(answer, {});
  expect(facts.provider).toMatchObject({ missing: ["orders_a"], orphans: ["left-behind"] });
  expect((await observed({}, {})).facts.provider).toMatchObject({ missing: [], orphans: [] });
});

test("ids that the provider gives win over those that texts and tags told, in facts and credentials alike", async () => {
  const read = {
    latest: version("one", "key2", "key2"),
    pending: version("two", ""),
    replaced: version("three", "", "key1"),
    overtaken: version("four", ""),
  };
  const { facts, ...found } = await observed({ ids: ["key1", "key2", "id-3", "id-4"] }, read);
  expect(facts).toMatchObject({
    latest: { credentialId: "key1" },
    pending: { credentialId: "key2" },
    replaced: { credentialId: "id-3" },
    overtaken: { credentialId: "id-4" },
  });
  const ids = [found.latest, found.pending, found.replaced, found.overtaken].map(
    (each) => each?.credential?.id,
  );
  expect(ids).toEqual(["key1", "key2", "id-3", "id-4"]);
  expect(found.latest?.credential?.value.reveal()).toBe("one");
});

test("where the provider gives no id, what the text told stands", async () => {
  const read = { latest: version("one", "orders_a"), pending: version("two", "orders_b") };
  const { facts } = await observed({ ids: [undefined, undefined] }, read);
  expect(facts).toMatchObject({
    latest: { credentialId: "orders_a" },
    pending: { credentialId: "orders_b" },
  });
});

test("whose a chosen candidate is that no provider has heard of yet is told by our record, if the policy knows the slot", async () => {
  const idOf = async (tag: string | undefined, origin: BoundRotator["origin"] = "chosen") => {
    const { facts } = await observed({}, { pending: version("two", "", tag) }, { origin });
    return facts.pending.kind === "parked" ? facts.pending.credentialId : undefined;
  };
  expect(await idOf("orders_b")).toBe("orders_b");
  expect(await idOf("root")).toBe("");
  expect(await idOf(undefined)).toBe("");
  expect(await idOf("orders_b", "minted")).toBe("");
});

test("what the tags claim of a disabled latest version is left as it is", async () => {
  const disabled = latest({ enabled: false, credentialId: "orders_b" });
  const { facts } = await observed({}, {}, { latest: disabled });
  expect(facts.latest).toBe(disabled);
  const missing = { kind: "missing" } as const;
  expect((await observed({}, {}, { latest: missing })).facts.latest).toBe(missing);
});

test("which of two keys is in use is what the provider says, not a tag", async () => {
  const world = await createWorld(azureKey);
  const tags = { "keyturn-credential": "key2" };
  await world.ground.store(world.ground.provider.first, 29, tags);
  const { ports } = world.startWorker();
  const secret = secretOf(ports.policy);
  const snapshot = await observeSecret(secret, undefined, ports, signal);
  const { facts } = await observeProvider(secret, snapshot, ports, signal);
  expect(facts.latest).toMatchObject({ credentialId: "key1" });
  expect(facts.provider).toMatchObject({ latest: "accepted" });
  await world.close();
});
