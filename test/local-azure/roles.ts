import type { AzureState } from "./state.ts";

/** Actions of the built-in and custom roles that the local Azure knows; `*` matches any run of characters. */
const roles: Readonly<Record<string, readonly string[]>> = {
  "Key Vault Secrets Officer": ["Microsoft.KeyVault/vaults/secrets/*"],
  "Key Vault Secrets User": [
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
  ],
  "Key Vault Reader": ["Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
  /** The worker's own role: no delete, no purge. */
  "Keyturn Secrets": [
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    "Microsoft.KeyVault/vaults/secrets/update/action",
  ],
  /** The worker's own role: no write, exec, attach or logs. */
  "Keyturn Restarter": [
    "Microsoft.ContainerInstance/containerGroups/read",
    "Microsoft.ContainerInstance/containerGroups/restart/action",
    "Microsoft.ContainerInstance/containerGroups/start/action",
    "Microsoft.ContainerInstance/containerGroups/stop/action",
    "Microsoft.ContainerInstance/locations/operations/read",
  ],
  "Storage Account Key Operator Service Role": [
    "Microsoft.Storage/storageAccounts/listkeys/action",
    "Microsoft.Storage/storageAccounts/regeneratekey/action",
  ],
  /** The worker's own role, for all resources that have no narrow one: read, list keys, regenerate keys. */
  "Keyturn Keys": [
    "*/read",
    "*/listKeys/action",
    "*/listAdminKeys/action",
    "*/listCredentials/action",
    "*/listSecrets/action",
    "*/regenerateKey/action",
    "*/regenerateKeys/action",
    "*/regenerateAdminKey/action",
    "*/regenerateCredential/action",
    "*/regeneratePrimaryKey/action",
    "*/regenerateSecondaryKey/action",
  ],
  "Azure Service Bus Data Receiver": ["Microsoft.ServiceBus/namespaces/messages/receive/action"],
  "Azure Service Bus Data Sender": ["Microsoft.ServiceBus/namespaces/messages/send/action"],
  Reader: ["*/read"],
  Contributor: ["Microsoft.ContainerInstance/*", "Microsoft.Resources/*", "*/read"],
  Owner: ["*"],
};

/** Whether a role assignment at `scope` or above it lets this principal do `action`. */
export function isAllowed(state: AzureState, principalId: string, action: string, scope: string): boolean {
  return actionsAt(state, principalId, scope).some((pattern) => matches(pattern, action));
}

/** The action patterns this principal has at `scope`, as the permissions API answers them. */
export function actionsAt(state: AzureState, principalId: string, scope: string): string[] {
  return state.roleAssignments
    .filter((given) => given.principalId === principalId && isWithin(scope, given.scope))
    .flatMap((given) => roles[given.role] ?? []);
}

export function isKnownRole(role: string): boolean {
  return role in roles;
}

function isWithin(scope: string, parent: string): boolean {
  const [inner, outer] = [`${scope}/`.toLowerCase(), `${parent.replace(/\/$/, "")}/`.toLowerCase()];
  return inner.startsWith(outer);
}

function matches(pattern: string, action: string): boolean {
  const source = pattern.replaceAll(/[.$^()+?[\]{}|\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${source}$`, "i").test(action);
}
