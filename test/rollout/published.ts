import type { ContainerGroups, ContainerGroupView } from "../../src/azure/container-instances.ts";
import type { KeyVault, SecretListing, SecretVersion, StoredSecret } from "../../src/azure/key-vault.ts";
import { Fault } from "../../src/errors.ts";
import type { Policy, SecretPolicy } from "../../src/policy/policy.ts";
import { rotationId } from "../../src/rotation/record/rotation-id.ts";
import type { FleetPorts } from "../../src/rollout/observe-fleet.ts";
import { SecretValue } from "../../src/secret-value.ts";
import { load, policyText, vaultId } from "../policy/fixtures.ts";
import { captureLog, type CapturedLog } from "../support/capture-log.ts";
import { providersWith } from "../support/providers.ts";
import { createVirtualClock } from "../support/virtual-clock.ts";

export const publishedAt = Date.UTC(2026, 0, 1);

/** A world at rest right after all secrets of the policy were published; what cannot be seen throws this fault. */
export interface PublishedWorld {
  readonly ports: FleetPorts;
  readonly logged: CapturedLog;
  /** By vault name, by `vault/name`, or by group id. */
  readonly faults: Map<string, Fault>;
  /** Of the latest versions, by `vault/name`; those of an open rotation, unless a test says otherwise. */
  readonly tags: Map<string, Readonly<Record<string, string>>>;
  /** Groups that run since long before the publish, unless a test says otherwise. */
  readonly groups: Map<string, Partial<ContainerGroupView>>;
}

/** @param secrets list entries of the policy file */
export function publishedWorld(secrets: string): PublishedWorld {
  const text = policyText({ secrets }).replace("scopes:", `  - id: ${vaultId("other-kv")}\nscopes:`);
  const policy = load(text);
  const faults: PublishedWorld["faults"] = new Map();
  const groups: PublishedWorld["groups"] = new Map();
  const tags: PublishedWorld["tags"] = new Map();
  const see = (what: string) => {
    const fault = faults.get(what);
    if (fault) throw fault;
  };
  const clock = createVirtualClock(publishedAt + 3_600_000);
  const vaults = new Map(policy.vaults.map(({ name }) => [name, vaultOf(policy, name, { see, tags })]));
  const logged = captureLog();
  const outside = { vaults, providers: providersWith({}), groups: groupsOf(groups, see) };
  return { ports: { policy, clock, log: logged.log, ...outside }, logged, faults, tags, groups };
}

type See = (what: string) => void;

function vaultOf(
  policy: Policy,
  vault: string,
  { see, tags }: Pick<PublishedWorld, "tags"> & { readonly see: See },
): KeyVault {
  const mine = policy.secrets.filter((secret) => secret.vault.name === vault);
  const readOnly = () => Promise.reject(new Fault("forbidden", "nothing is written here"));
  const versionsOf = (name: string): StoredSecret[] =>
    mine.filter((secret) => secret.name === name).flatMap((secret) => versions(secret, tags.get(secret.key)));
  const read = async (name: string, wanted = "b".repeat(32)) => {
    see(`${vault}/${name}`);
    return versionsOf(name).find(({ version }) => version === wanted);
  };
  return {
    latest: (name) => read(name),
    get: (name, version) => read(name, version),
    versions: async (name) => versionsOf(name),
    async *list(): AsyncIterable<SecretListing> {
      see(vault);
      yield* mine.flatMap(({ name }) => versionsOf(name).slice(-1));
    },
    publish: readOnly,
    update: readOnly,
  };
}

/** The version before, and the one that replaced it. */
function versions({ name, vault }: SecretPolicy, tags?: SecretVersion["tags"]): StoredSecret[] {
  const from = "a".repeat(32);
  const each = (version: string, createdAt: number, own: SecretVersion["tags"]) => {
    const value = new SecretValue(`the value of version ${version}`);
    return { name, version, enabled: true, createdAt, tags: own, value };
  };
  const ours = {
    "keyturn-rotation": rotationId(vault.id, name, from),
    "keyturn-from": from,
    "keyturn-state": "published",
  };
  return [each(from, publishedAt - 86_400_000, {}), each("b".repeat(32), publishedAt, tags ?? ours)];
}

function groupsOf(groups: PublishedWorld["groups"], see: See): ContainerGroups {
  const container = {
    name: "app",
    image: "app:1",
    state: "Running",
    startedAt: publishedAt - 3_600_000,
    restartCount: 0,
  };
  const usual = { provisioningState: "Succeeded", state: "Running", containers: [container], tags: {} };
  const viewOf = (id: string): ContainerGroupView => ({ id, name: "app", ...usual, ...groups.get(id) });
  return {
    get: async (id) => {
      see(id);
      return viewOf(id);
    },
    async *list(scope) {
      see(scope);
      yield* [...groups.keys()].map(viewOf);
    },
    restart: () => Promise.reject(new Fault("forbidden", "nothing is restarted here")),
  };
}
