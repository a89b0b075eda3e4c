import { expect, test } from "vitest";
import type { ContainerGroups } from "../../../src/azure/container-instances.ts";
import type { StoredSecret } from "../../../src/azure/key-vault.ts";
import type { Policy, SecretPolicy } from "../../../src/policy/policy.ts";
import { observeSecret } from "../../../src/rotation/observe/secret.ts";
import { observeDependents } from "../../../src/rotation/observe/dependents.ts";
import { observeProvider } from "../../../src/rotation/observe/provider.ts";
import type { DerivedSecret, Snapshot } from "../../../src/rotation/model/snapshot.ts";
import type { RotationPorts } from "../../../src/rotation/ports.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { azureKey } from "../../crash/scenarios/azure-key.ts";
import { createWorld } from "../../crash/world.ts";
import { groupId, load, policyText } from "../../policy/fixtures.ts";
import { providersWith } from "../../support/providers.ts";
import { createVirtualClock } from "../../support/virtual-clock.ts";

const { signal } = new AbortController();

function secretOf({ secrets: [secret] }: Policy): SecretPolicy {
  if (!secret) throw new Error("the policy has no secret");
  return secret;
}

test("who reads what is derived from a secret is waited for like those who read the secret", async () => {
  const { ports, publishedAt, startedAt } = family();
  const secret = secretOf(ports.policy);
  const unconfirmed = async () => {
    const { facts } = await observeDependents(secret, published(secret, publishedAt), ports, signal);
    return facts.dependents?.unconfirmed.map((group) => group.split("/").at(-1));
  };
  expect(await unconfirmed()).toEqual(["orders-api", "reports"]);
  startedAt.set("orders-api", publishedAt + 120_000);
  expect(await unconfirmed()).toEqual(["reports"]);
  startedAt.set("reports", publishedAt + 120_000);
  expect(await unconfirmed()).toEqual([]);
});

/** A secret read by `orders-api`, and one derived from it, read by `reports`, an hour after both were published. */
function family() {
  const publishedAt = Date.UTC(2026, 10, 21);
  const clock = createVirtualClock(publishedAt + 3_600_000);
  const policy = load(
    policyText({
      secrets: `
  - vault: prod-kv
    name: orders-db
    rotator: login
    target: { host: db, users: [a, b] }
    value: "{username}:{password}"
    dependents: [{ group: "${groupId("orders-api")}" }]
  - vault: prod-kv
    name: orders-url
    from: orders-db
    value: "db://{username}:{password:url}@{host}"
    dependents: [{ group: "${groupId("reports")}" }]`,
    }),
  );
  const startedAt = new Map<string, number>();
  const groups: ContainerGroups = {
    async get(id) {
      const name = id.split("/").at(-1) ?? "";
      const start = startedAt.get(name) ?? publishedAt - 1;
      const container = { name: "app", image: "app:1", state: "Running", startedAt: start, restartCount: 0 };
      return {
        id,
        name,
        tags: {},
        provisioningState: "Succeeded",
        state: "Running",
        containers: [container],
      };
    },
    async *list() {},
    restart: () => Promise.reject(new Error("nobody is restarted by a look")),
  };
  const ports: RotationPorts = { policy, groups, clock, vaults: new Map(), providers: providersWith({}) };
  return { ports, publishedAt, startedAt };
}

/** As it is seen after the publish of the secret and all that is derived from it. */
function published(secret: SecretPolicy, createdAt: number): Snapshot {
  const version = "b".repeat(32);
  const stored: StoredSecret = {
    name: secret.name,
    version,
    enabled: true,
    createdAt,
    tags: {},
    value: new SecretValue("b:secret"),
  };
  const derived = secret.derived.map(
    (policy): DerivedSecret => ({ policy, state: "current", stored, restored: undefined }),
  );
  return {
    latest: { stored, credential: { id: "b", value: stored.value } },
    pending: undefined,
    replaced: undefined,
    derived,
    facts: {
      now: createdAt + 3_600_000,
      request: undefined,
      latest: {
        kind: "readable",
        lineage: "ours",
        first: false,
        rotation: `r-${"a".repeat(26)}`,
        restored: undefined,
        version,
        enabled: true,
        createdAt,
        expiresAt: undefined,
        record: {},
        credentialId: "b",
      },
      replaced: undefined,
      pending: { kind: "none" },
      provider: undefined,
      derived: derived.map(({ policy, state }) => ({ key: policy.key, state })),
      dependents: undefined,
    },
  };
}
