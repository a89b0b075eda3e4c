import type { AzureState } from "./state.ts";

type Subscription = Pick<AzureState, "subscriptionId">;

const vaultsGroup = "vaults";
const appsGroup = "apps";

export function resourceGroupId({ subscriptionId }: Subscription, name: string): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${name}`;
}

export function vaultId(state: Subscription, name: string, resourceGroup = vaultsGroup): string {
  return `${resourceGroupId(state, resourceGroup)}/providers/Microsoft.KeyVault/vaults/${name}`;
}

/** Id of a container group. */
export function groupId(state: Subscription, resourceGroup: string, name: string): string {
  return `${resourceGroupId(state, resourceGroup)}/providers/Microsoft.ContainerInstance/containerGroups/${name}`;
}

/** Id of a resource with keys. @param path from the provider on */
export function keyedResourceId(state: Subscription, path: string, resourceGroup = "data"): string {
  return `${resourceGroupId(state, resourceGroup)}/providers/${path}`;
}

/** Id of a user-assigned identity. */
export function identityId(state: Subscription, name: string, resourceGroup = appsGroup): string {
  return `${resourceGroupId(state, resourceGroup)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;
}
