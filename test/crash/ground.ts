import { stringify } from "yaml";
import { loadPolicy } from "../../src/policy/load.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { rotators } from "../../src/rotators/index.ts";
import { createContainers } from "../azure/container-instances.ts";
import { type RunProcess, simulateProcess } from "../azure/container-process.ts";
import { cloudEvent } from "../azure/event-grid.ts";
import { createKeyVault } from "../azure/key-vault.ts";
import { groupId, resourceGroupId } from "../azure/resource-ids.ts";
import { createResourceManager } from "../azure/resource-manager.ts";
import { definitionOf } from "../azure/resource-manager/fixture.ts";
import { addIdentity, addVault, grant } from "../azure/resources.ts";
import { createState, type HttpService, type SecretVersionState, type VaultEvent } from "../azure/state.ts";
import { createTokenAuthority, generateTokenKeys } from "../azure/tokens.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";
import { lastingTokens } from "./lasting-tokens.ts";
import type { Snapshot } from "./monitor.ts";
import type { Scenario } from "./scenarios/scenario.ts";

export const secretName = "orders-db";
export const hour = 3_600_000;
export const overlap = 2 * hour;
const vaultName = "prod-kv";
const host = { vault: `${vaultName}.vault.azure.net`, arm: "management.azure.com" };

/** A message of the Service Bus queue that Event Grid delivers to. */
export interface Message {
  readonly id: string;
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

const keys = generateTokenKeys();
const policies = new Map<string, Policy>();

/** Everything outside of keyturn's processes, on a clock that stands still until it is told to move. */
export async function createGround(scenario: Scenario, options: GroundOptions = {}) {
  const { dependents = [], copies = 1 } = options;
  const clock = createVirtualClock();
  const state = createState(clock);
  const tokens = lastingTokens(await createTokenAuthority(state, await keys));
  const identity = addIdentity(state, "keyturn");
  const vault = addVault(state, vaultName);
  grant(state, identity.principalId, "Keyturn Secrets", vault.id);
  grant(state, identity.principalId, "Keyturn Restarter", resourceGroupId(state, "apps"));

  const messages: Message[] = [];
  const emit = (event: VaultEvent) => {
    const id = `event-${messages.length}-${event.version.version}`;
    const body = Buffer.from(JSON.stringify(cloudEvent(event, id, new Date(clock.now()).toISOString())));
    for (let copy = 0; copy < copies; copy += 1)
      messages.push({ id, body, deliveryCount: 0, lockedUntil: 0 });
  };
  const keyVault = createKeyVault(state, tokens, vault, { emit, nearExpiryDelay: 1_000 });
  const provider = scenario.install({ state, tokens, identity });

  const held = new Map<string, string>();
  const starts = new Map<string, number>();
  const byHand = new Set<string>();
  const text = () => vault.secrets.get(secretName)?.versions.at(-1)?.value ?? "";
  const run: RunProcess = (spec) => {
    const group = spec.env.GROUP ?? "";
    starts.set(group, (starts.get(group) ?? 0) + 1);
    held.set(group, text());
    const fails = group === options.allergic && text() !== provider.first;
    return fails ? { pid: undefined, exited: Promise.resolve(1), end: () => {} } : simulateProcess(spec);
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
    /** Stores a version as a person would, with this many days to live. */
    async store(value: string, days: number, tags: Record<string, string> = {}): Promise<void> {
      const exp = Math.floor(clock.now() / 1000) + days * 24 * 3600;
      const token = await tokens.issue(identity, "https://vault.azure.net");
      await keyVault.handle(
        new Request(`${vault.url}/secrets/${secretName}?api-version=7.6`, {
          method: "PUT",
          headers: { authorization: `Bearer ${token.token}`, "content-type": "application/json" },
          body: JSON.stringify({ value, contentType: "text/plain", tags, attributes: { exp } }),
        }),
      );
      byHand.add(vault.secrets.get(secretName)?.versions.at(-1)?.version ?? "");
    },
    emit,
    containers,
    async startDependents(): Promise<void> {
      for (const name of dependents) {
        const container = { environmentVariables: [{ name: "GROUP", value: name }] };
        await containers.put(groupId(state, "apps", name), definitionOf(undefined, { container }));
      }
    },
    snapshot(): Snapshot {
      const versionsOf = (name: string): SecretVersionState[] =>
        (vault.secrets.get(name)?.versions ?? []).map((version) => ({ ...version }));
      return {
        now: clock.now(),
        versions: versionsOf(secretName),
        pending: versionsOf(`${secretName}--pending`),
        live: provider.live(),
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

/** Loading a policy takes as long as a short run, and a policy is never changed. */
function policyFor(scenario: Scenario, dependents: readonly string[], subscription: string): Policy {
  const key = `${scenario.name} ${dependents.join(" ")}`;
  const known = policies.get(key);
  if (known) return known;
  const apps = `/subscriptions/${subscription}/resourceGroups/apps`;
  const group = (name: string) => `${apps}/providers/Microsoft.ContainerInstance/containerGroups/${name}`;
  const text = stringify({
    version: 1,
    vaults: [
      {
        id: `/subscriptions/${subscription}/resourceGroups/vaults/providers/Microsoft.KeyVault/vaults/${vaultName}`,
      },
    ],
    scopes: [apps],
    defaults: { validity: "90d", rotateBefore: "30d", overlap: "2h" },
    rollout: { deadline: "3m" },
    secrets: [
      {
        vault: vaultName,
        name: secretName,
        ...scenario.secret,
        dependents: dependents.map((name) => ({ group: group(name) })),
      },
    ],
  });
  const policy = loadPolicy(text, { file: "policy.yaml", rotators });
  policies.set(key, policy);
  return policy;
}
