/** An ARM resource id, taken apart. ARM compares ids without regard to case, so all parts are in lower case. */
export interface ResourceId {
  /** The whole id, without trailing slash. */
  readonly id: string;
  readonly subscription: string;
  readonly resourceGroup: string | undefined;
  /** `microsoft.keyvault/vaults` */
  readonly type: string | undefined;
  /** Last part of the id of a resource. */
  readonly name: string | undefined;
}

export const resourceTypes = {
  vault: "microsoft.keyvault/vaults",
  containerGroup: "microsoft.containerinstance/containergroups",
} as const;

/**
 * Strict on purpose: an id becomes part of a request path, so nothing that a URL would resolve or decode (`..`, `%2f`,
 * `//`, `?`) passes. Resource group names may hold any letter, and end in anything but a period:
 * https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
 */
const format =
  /^\/subscriptions\/([\w-]+)(?:\/resourcegroups\/([-\p{L}\p{N}_.()]*[-\p{L}\p{N}_()])(?:\/providers\/([\w.]+\/\w+)\/([\w-]+))?)?\/?$/u;

/** A subscription, resource group or top-level resource; `undefined` for anything else. */
export function parseResourceId(text: string): ResourceId | undefined {
  const match = format.exec(text.toLowerCase());
  if (!match?.[1]) return undefined;
  const [whole, subscription, resourceGroup, type, name] = match;
  return { id: whole.replace(/\/$/, ""), subscription, resourceGroup, type, name };
}

/** The id in the form in which this project compares ids: lower case, no trailing slash. */
export function normaliseId(id: string): string {
  return id.toLowerCase().replace(/\/+$/, "");
}

/** Whether `id` is `scope` itself or lies under it: `.../resourceGroups/apps-2` does not lie under `.../apps`. */
export function isWithin(id: string, scope: string): boolean {
  return `${normaliseId(id)}/`.startsWith(`${normaliseId(scope)}/`);
}
