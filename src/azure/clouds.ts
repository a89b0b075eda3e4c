import type { Policy } from "../policy/policy.ts";

/** Where a cloud's services are, and for whom tokens are asked. */
export interface CloudEndpoints {
  readonly resourceManager: string;
  /** Scope of Resource Manager's tokens. */
  readonly managementScope: string;
  /** Scope of tokens that Azure Database for PostgreSQL takes as a password. */
  readonly databaseScope: string;
}

/** https://learn.microsoft.com/azure/developer/identity/national-clouds-endpoints, https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure */
const known: Readonly<Record<Exclude<Policy["cloud"], "custom">, CloudEndpoints>> = {
  public: endpoints("management.azure.com", "ossrdbms-aad.database.windows.net"),
  usgovernment: endpoints("management.usgovcloudapi.net", "ossrdbms-aad.database.usgovcloudapi.net"),
  china: endpoints("management.chinacloudapi.cn", "ossrdbms-aad.database.chinacloudapi.cn"),
};

/** Managed Redis knows one scope for all clouds. */
export const redisScope = "https://redis.azure.com/.default";
export const vaultScope = "https://vault.azure.net/.default";

/** @param resourceManager endpoint of `custom`, whose tokens are those of the public cloud */
export function endpointsOf(cloud: Policy["cloud"], resourceManager: string | undefined): CloudEndpoints {
  return cloud === "custom"
    ? { ...known.public, resourceManager: resourceManager ?? known.public.resourceManager }
    : known[cloud];
}

function endpoints(management: string, database: string): CloudEndpoints {
  return {
    resourceManager: `https://${management}`,
    managementScope: `https://${management}/.default`,
    databaseScope: `https://${database}/.default`,
  };
}
