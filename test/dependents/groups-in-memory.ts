import type { ContainerGroups, ContainerGroupView } from "../../src/azure/container-instances.ts";
import type { DependentsPorts } from "../../src/dependents/dependents.ts";
import type { Policy, SecretPolicy } from "../../src/policy/policy.ts";
import { groupId, load, policyText } from "../policy/fixtures.ts";
import { createVirtualClock, type VirtualClock } from "../support/virtual-clock.ts";

export const publishedAt = Date.UTC(2026, 10, 21);

export interface Fleet {
  readonly ports: DependentsPorts & { readonly clock: VirtualClock };
  readonly secret: SecretPolicy;
  /** By name. Azure has no group that is not in here. */
  readonly views: Map<string, ContainerGroupView>;
  /** Scopes that were listed, in order. */
  readonly listed: string[];
}

/** The policy of one secret, an hour after it was published, and the container groups that Azure has. */
export function fleetOf(
  dependents: string,
  options: { readonly head?: string; readonly scopes?: string; readonly derived?: string } = {},
): Fleet {
  const { derived = "", ...parts } = options;
  const secrets = `
  - vault: prod-kv
    name: orders-db
    rotator: login
    target: { host: db, users: [a, b] }
    value: "{username}:{password}"
    dependents: [${dependents}]${derived}`;
  return fleetUnder(load(policyText({ ...parts, secrets })));
}

function fleetUnder(policy: Policy): Fleet {
  const [secret] = policy.secrets;
  if (!secret) throw new Error("the policy has no secret");
  const views: Fleet["views"] = new Map();
  const listed: string[] = [];
  const groups: ContainerGroups = {
    get: async (id) => [...views.values()].find((view) => view.id.toLowerCase() === id.toLowerCase()),
    async *list(scope) {
      listed.push(scope);
      yield* [...views.values()].filter(({ id }) => id.toLowerCase().startsWith(`${scope.toLowerCase()}/`));
    },
    restart: () => Promise.reject(new Error("nothing that reads restarts a group")),
  };
  return {
    ports: { policy, groups, clock: createVirtualClock(publishedAt + 3_600_000) },
    secret,
    views,
    listed,
  };
}

/** A group whose one container has run since `startedAt`; by default since long before the publish. */
export function runningGroup(
  name: string,
  change: Partial<ContainerGroupView> & { readonly startedAt?: number } = {},
): ContainerGroupView {
  const { startedAt = publishedAt - 3_600_000, ...view } = change;
  const container = { name: "app", image: "app:1", state: "Running", startedAt, restartCount: 0 };
  return {
    id: groupId(name),
    name,
    tags: {},
    provisioningState: "Succeeded",
    state: "Running",
    containers: [container],
    ...view,
  };
}
