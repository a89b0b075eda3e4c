import { stringify } from "yaml";
import type { LocalAzure } from "../local-azure/index.ts";

export interface PolicyOptions {
  /** Names of the container groups that read the secret. */
  readonly dependents?: readonly string[];
  /** Groups found by this tag as well. */
  readonly discover?: string;
  /** One role is replaced in place; two take turns. */
  readonly single?: boolean;
  readonly overlap?: string;
  readonly settle?: string;
  readonly skew?: string;
  /** A restarted group must be back by then. */
  readonly deadline?: string;
  /** BullMQ's job lock: how soon a killed worker's job is taken up again. */
  readonly lock?: string;
  /** Further secrets, as the policy file writes them. */
  readonly secrets?: readonly object[];
}

interface Database {
  readonly port: number;
  readonly database: string;
  readonly roles: readonly string[];
}

/** A policy file for the local Azure, with times short enough to watch. */
export function policyText(azure: LocalAzure, options: PolicyOptions & Database): string {
  const { subscriptionId } = azure.state;
  const scope = `/subscriptions/${subscriptionId}/resourceGroups/apps`;
  const { overlap = "5s", settle = "1s", skew = "1s", lock = "2s", deadline = "1m" } = options;
  return stringify({
    version: 1,
    cloud: "custom",
    vaults: [{ id: azure.vaultId("prod-kv") }],
    scopes: [scope],
    self: azure.groupId("core", "keyturn"),
    defaults: { validity: "90d", rotateBefore: "30d", overlap },
    rollout: { settle, skew, coalesce: skew, deadline },
    worker: { lock, stalledCheck: "1s", drain: "5s" },
    secrets: [databaseSecret(azure, options), ...(options.secrets ?? [])],
  });
}

function databaseSecret(azure: LocalAzure, options: PolicyOptions & Database): object {
  const { port, database, roles, single, dependents = [], discover } = options;
  return {
    vault: "prod-kv",
    name: "orders-db",
    rotator: "postgres-role",
    target: {
      host: "localhost",
      port,
      database,
      admin: "keyturn",
      roles: single ? roles.slice(0, 1) : roles,
    },
    value: "postgresql://{username}:{password:url}@{host}:{port}/{database}",
    dependents: [
      ...dependents.map((name) => ({ group: azure.groupId("apps", name), strategy: "restart" })),
      ...(discover ? [{ discover: { tag: discover } }] : []),
    ],
  };
}
