import { expect, test } from "vitest";
import type { StoredSecret } from "../../../src/azure/key-vault.ts";
import { fingerprintOf, waiverOf } from "../../../src/dependents/fingerprint.ts";
import type { ReadableLatest } from "../../../src/rotation/model/observation.ts";
import type { DerivedSecret, Snapshot } from "../../../src/rotation/model/snapshot.ts";
import { observeDependents } from "../../../src/rotation/observe/dependents.ts";
import type { RotationPorts } from "../../../src/rotation/ports.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { fleetOf, type Fleet, publishedAt, runningGroup } from "../../dependents/groups-in-memory.ts";
import { groupId } from "../../policy/fixtures.ts";
import { providersWith } from "../../support/providers.ts";
import { latest, seen } from "../decide/facts.ts";

const { signal } = new AbortController();
const minute = 60_000;

/** A secret read by `orders-api` and `both`, and one derived from it, read by `reports` and `both`; all run since before. */
function family(): Fleet {
  const gating = (...names: string[]) => names.map((name) => `{ group: "${groupId(name)}" }`).join(", ");
  const follows = (name: string) => `{ group: "${groupId(name)}", gate: false }`;
  const derived = `
  - vault: prod-kv
    name: orders-url
    from: orders-db
    value: "db://{username}:{password:url}@{host}"
    dependents: [${gating("reports", "both")}, ${follows("logs")}]`;
  const fleet = fleetOf(`${gating("orders-api", "both")}, ${follows("logs")}`, { derived });
  for (const name of ["orders-api", "reports", "both", "logs"]) fleet.views.set(name, runningGroup(name));
  return fleet;
}

interface Given {
  readonly latest?: Partial<ReadableLatest>;
  readonly derived?: Partial<DerivedSecret>;
  /** Of what is derived. */
  readonly tags?: Readonly<Record<string, string>>;
}

async function observed(
  { secret, ports: rollout }: Fleet,
  { latest: change, derived = {}, tags = {} }: Given = {},
) {
  const ports: RotationPorts = { ...rollout, vaults: new Map(), providers: providersWith({}) };
  const stored: StoredSecret = {
    name: "orders-url",
    version: "b".repeat(32),
    enabled: true,
    createdAt: publishedAt,
    tags,
    value: new SecretValue("db://b:secret@db"),
  };
  const snapshot: Snapshot = {
    latest: undefined,
    pending: undefined,
    replaced: undefined,
    derived: secret.derived.map((policy) => ({
      policy,
      state: "current",
      stored,
      restored: undefined,
      ...derived,
    })),
    facts: seen({ latest: latest({ createdAt: publishedAt, ...change }) }),
  };
  const { dependents } = (await observeDependents(secret, snapshot, ports, signal)).facts;
  if (!dependents) throw new Error("nothing was observed");
  const names = (ids: readonly string[] = []) => ids.map((id) => id.split("/").at(-1));
  const { unconfirmed, down, others } = dependents;
  return { ...dependents, unconfirmed: names(unconfirmed), down: names(down), others: names(others) };
}

function restart({ views }: Fleet, name: string, after = 2 * minute): void {
  views.set(name, runningGroup(name, { startedAt: publishedAt + after }));
}

test("who reads what is derived from a secret is waited for like those who read the secret, each once", async () => {
  const fleet = family();
  expect(await observed(fleet)).toMatchObject({
    unconfirmed: ["orders-api", "both", "reports"],
    confirmed: 0,
    others: ["logs"],
  });
  restart(fleet, "orders-api");
  expect(await observed(fleet)).toMatchObject({ unconfirmed: ["both", "reports"], confirmed: 1 });
  restart(fleet, "reports");
  restart(fleet, "both");
  expect(await observed(fleet)).toMatchObject({ unconfirmed: [], confirmed: 4 });
});

test("readers of what is derived are to have started after that was published, which may be later", async () => {
  const fleet = family();
  for (const name of ["orders-api", "reports", "both"]) restart(fleet, name);
  const stored = {
    name: "orders-url",
    version: "b".repeat(32),
    enabled: true,
    tags: {},
    value: new SecretValue("x"),
  };
  const later = { ...stored, createdAt: publishedAt + 10 * minute };
  expect(await observed(fleet, { derived: { stored: later } })).toMatchObject({
    unconfirmed: ["reports", "both"],
  });
});

test("readers of what is derived are not waited for while that does not follow from latest", async () => {
  expect(await observed(family(), { derived: { state: "foreign" } })).toMatchObject({
    unconfirmed: ["orders-api", "both"],
  });
});

test("a group that a person has confirmed counts as confirmed for the secret and for what is derived from it", async () => {
  const waived = [waiverOf(groupId("both")), waiverOf(groupId("reports"))];
  expect(await observed(family(), { latest: { record: { hold: { waived } } } })).toMatchObject({
    unconfirmed: ["orders-api"],
    confirmed: 3,
  });
});

test("groups that have got lost since the publish are counted for each by what was written down of its own readers", async () => {
  const fleet = family();
  const { secret, ports } = fleet;
  const [child] = secret.derived;
  if (!child) throw new Error("nothing is derived");
  const three = ["one", "two", "three"].map((name) => ({ group: groupId(name), gate: true, after: [] }));
  const ofSecret = fingerprintOf(secret, three, ports.policy);
  const tags = { "keyturn-dependents": fingerprintOf(child, three, ports.policy) };
  expect(await observed(fleet, { latest: { record: { dependents: ofSecret } } })).toMatchObject({ lost: 1 });
  expect(await observed(fleet, { latest: { record: { dependents: ofSecret } }, tags })).toMatchObject({
    lost: 2,
  });
  expect(await observed(fleet)).toMatchObject({ lost: 0 });
});

test("of a secret that cannot be read no dependents are observed", async () => {
  const { secret, ports: rollout } = family();
  const ports: RotationPorts = { ...rollout, vaults: new Map(), providers: providersWith({}) };
  const facts = seen({ latest: { kind: "disabled" } });
  const snapshot: Snapshot = {
    latest: undefined,
    pending: undefined,
    replaced: undefined,
    derived: [],
    facts,
  };
  expect(await observeDependents(secret, snapshot, ports, signal)).toBe(snapshot);
});

test("a group that is not up and reads both is reported as down", async () => {
  const fleet = family();
  const waiting = { name: "app", image: "app:1", state: "Waiting", restartCount: 3 };
  fleet.views.set("both", runningGroup("both", { state: "Pending", containers: [waiting] }));
  expect(new Set((await observed(fleet)).down)).toEqual(new Set(["both"]));
});
