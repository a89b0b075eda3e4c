import { stringify } from "yaml";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { rotators } from "../../src/rotators/index.ts";
import { createContainers } from "../local-azure/container-instances.ts";
import type { RunProcess } from "../local-azure/container-process.ts";
import { cloudEvent } from "../local-azure/event-grid.ts";
import { createKeyVault } from "../local-azure/key-vault.ts";
import { groupId, resourceGroupId } from "../local-azure/resource-ids.ts";
import { createResourceManager } from "../local-azure/resource-manager.ts";
import { definitionOf } from "../local-azure/resource-manager/fixture.ts";
import { addIdentity, addVault, grant } from "../local-azure/resources.ts";
import { simulateProcess } from "../local-azure/simulated-process.ts";
import {
  createState,
  type HttpService,
  type SecretVersionState,
  type VaultEvent,
} from "../local-azure/state.ts";
import { createTokenAuthority } from "../local-azure/tokens.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { lastingTokens } from "./lasting-tokens.ts";
import type { DerivedSnapshot, Holding, Snapshot } from "./snapshot.ts";
import type { Provider, Scenario } from "./scenarios/scenario.ts";

export const secretName = "orders-db";
export const hour = 3_600_000;
export const overlap = 2 * hour;
const vaultName = "prod-kv";
const host = { vault: `${vaultName}.vault.azure.net`, arm: "management.azure.com" };

/** A message of the Service Bus queue that Event Grid delivers to. */
export interface Message {
  readonly id: string;
  /** Name of the secret. */
  readonly about: string;
  readonly body: Uint8Array;
  deliveryCount: number;
  /** Nobody else gets it before this. */
  lockedUntil: number;
}

export interface GroundOptions {
  /** Names of the container groups that read the secret. */
  readonly dependents?: readonly string[];
  /** How often Event Grid delivers each event. */
  readonly copies?: number;
  /** A group that comes up on nothing but the first value. */
  readonly allergic?: string;
}

const policies = new Map<string, Policy>();

/** Everything outside of keyturn's processes, on a clock that stands still until it is told to move. */
export async function createGround(scenario: Scenario, options: GroundOptions = {}) {
  const { dependents = [], copies = 1 } = options;
  const clock = createVirtualClock();
  const state = createState(clock);
  const tokens = lastingTokens(await createTokenAuthority(state));
  const identity = addIdentity(state, "keyturn");
  const vault = addVault(state, vaultName);
  grant(state, identity.principalId, "Keyturn Secrets", vault.id);
  grant(state, identity.principalId, "Keyturn Restarter", resourceGroupId(state, "apps"));

  const messages: Message[] = [];
  const emit = (event: VaultEvent) => {
    const id = `event-${messages.length}-${event.version.version}`;
    const body = Buffer.from(JSON.stringify(cloudEvent(event, id, new Date(clock.now()).toISOString())));
    for (let copy = 0; copy < copies; copy += 1)
      messages.push({ id, about: event.name, body, deliveryCount: 0, lockedUntil: 0 });
  };
  const keyVault = createKeyVault(state, tokens, vault, { emit, nearExpiryDelay: 1_000 });
  const provider = scenario.install({ state, tokens, identity });

  const held = new Map<string, Holding>();
  const starts = new Map<string, number>();
  const byHand = new Set<string>();
  const derived = scenario.derived ?? [];
  const allergic = new Map(
    options.allergic === undefined ? [] : [[options.allergic, Number.POSITIVE_INFINITY]],
  );
  const latestOf = (name: string) => vault.secrets.get(name)?.versions.at(-1);
  const run: RunProcess = ({ env, ...spec }) => {
    const { GROUP: group = "", SECRET: secret = "" } = env;
    const text = latestOf(secret)?.value ?? "";
    starts.set(group, (starts.get(group) ?? 0) + 1);
    held.set(group, { secret, text });
    const fails =
      clock.now() < (allergic.get(group) ?? 0) && text !== vault.secrets.get(secret)?.versions[0]?.value;
    return fails
      ? { pid: undefined, exited: Promise.resolve(1), end: () => {} }
      : simulateProcess({ env, ...spec });
  };
  const containers = createContainers(state, {
    environmentFor: async () => ({}),
    run,
    backOff: { first: 10_000, most: 300_000 },
  });
  const arm = createResourceManager(state, tokens, containers);
  const services: Record<string, HttpService> = {
    ...provider.services,
    [host.vault]: keyVault.handle,
    [host.arm]: arm,
  };

  /** Stores a version as a person would, with this many days to live. */
  async function store(value: string, days: number, tags = {}, name = secretName): Promise<void> {
    const exp = Math.floor(clock.now() / 1000) + days * 24 * 3600;
    const token = await tokens.issue(identity, "https://vault.azure.net");
    await keyVault.handle(
      new Request(`${vault.url}/secrets/${name}?api-version=7.6`, {
        method: "PUT",
        headers: { authorization: `Bearer ${token.token}`, "content-type": "application/json" },
        body: JSON.stringify({ value, contentType: "text/plain", tags, attributes: { exp } }),
      }),
    );
    byHand.add(latestOf(name)?.version ?? "");
  }

  return {
    clock,
    state,
    tokens,
    identity,
    vault,
    messages,
    provider,
    services,
    scenario,
    policy: policyFor(scenario, dependents, state.subscriptionId),
    armHost: host.arm,
    store,
    /** The world before the first worker: a secret that is due, what is derived from it, and groups that read them. */
    async begin(): Promise<void> {
      await store(provider.first, 29);
      const { exp } = latestOf(secretName) ?? {};
      for (const { name, textFrom } of derived) await store(textFrom(provider.first, exp), 29, {}, name);
      for (const [group, secret] of readersOf(scenario, dependents)) {
        const environmentVariables = Object.entries({ GROUP: group, SECRET: secret }).map(
          ([name, value]) => ({
            name,
            value,
          }),
        );
        await containers.put(
          groupId(state, "apps", group),
          definitionOf(undefined, { container: { environmentVariables } }),
        );
      }
    },
    emit,
    /** A group that is gone runs on nothing. */
    forget(id: string): void {
      held.delete(id.split("/").at(-1) ?? "");
    },
    /** Groups that come up on nothing but the first value, and until when. */
    allergic,
    containers,
    snapshot(): Snapshot {
      const versionsOf = (name: string): SecretVersionState[] =>
        (vault.secrets.get(name)?.versions ?? []).map((version) => ({ ...version }));
      return {
        now: clock.now(),
        versions: versionsOf(secretName),
        pending: versionsOf(`${secretName}--pending`),
        live: provider.live(),
        derived: derived.map(({ name }) => derivedSnapshot(name, versionsOf(name), provider)),
        held: new Map(held),
        byHand: new Set(byHand),
        restarts: new Map(starts),
      };
    },
    async close(): Promise<void> {
      keyVault.close();
      await containers.close();
    },
  };
}

export type Ground = Awaited<ReturnType<typeof createGround>>;

function derivedSnapshot(
  name: string,
  versions: readonly SecretVersionState[],
  { acceptsDerived = () => true }: Provider,
): DerivedSnapshot {
  const texts = versions.map(({ value }) => value);
  return { name, versions, live: new Set(texts.filter((text) => acceptsDerived(text))) };
}

/** Which group reads which secret; those of derived secrets are there if the others are. */
function readersOf({ derived = [] }: Scenario, dependents: readonly string[]): [string, string][] {
  const own = dependents.map((group): [string, string] => [group, secretName]);
  if (own.length === 0) return own;
  return [
    ...own,
    ...derived.flatMap(({ name, readers }) => readers.map((group): [string, string] => [group, name])),
  ];
}

/** Loading a policy takes as long as a short run, and a policy is never changed. */
function policyFor(scenario: Scenario, dependents: readonly string[], subscription: string): Policy {
  const key = `${scenario.name} ${dependents.join(" ")}`;
  const known = policies.get(key);
  if (known) return known;
  const apps = `/subscriptions/${subscription}/resourceGroups/apps`;
  const group = (name: string) => `${apps}/providers/Microsoft.ContainerInstance/containerGroups/${name}`;
  const readers = readersOf(scenario, dependents);
  const dependentsOf = (secret: string) =>
    readers.flatMap(([name, read]) => (read === secret ? [{ group: group(name) }] : []));
  const derived = (scenario.derived ?? []).map(({ name, secret }) => ({
    vault: vaultName,
    name,
    from: secretName,
    ...secret,
    dependents: dependentsOf(name),
  }));
  const text = stringify({
    version: 1,
    vaults: [
      {
        id: `/subscriptions/${subscription}/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/${vaultName}`,
      },
    ],
    scopes: [apps],
    defaults: { validity: "90d", rotateBefore: "30d", overlap: "2h" },
    // A group that does not come up is looked at every two seconds until the deadline.
    rollout: { deadline: "60s", settle: "15s", skew: "15s", coalesce: "15s" },
    secrets: [
      {
        vault: vaultName,
        name: secretName,
        ...scenario.secret,
        dependents: dependentsOf(secretName),
      },
      ...derived,
    ],
  });
  const policy = loadPolicy(text, { file: "policy.yaml", rotators });
  policies.set(key, policy);
  return policy;
}
