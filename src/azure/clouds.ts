/** As the policy names them; `custom`: endpoints of the operator's own. */
export type CloudName = "public" | "usgovernment" | "china" | "custom";

/** Where a cloud's services are, and for whom tokens are asked. */
export interface CloudEndpoints {
  readonly resourceManager: string;
  /** Scope of Resource Manager's tokens. */
  readonly managementScope: string;
  /** Scope of tokens that Azure Database for PostgreSQL takes as a password. */
  readonly databaseScope: string;
  /** `undefined`: a `custom` cloud without. */
  readonly graph: string | undefined;
  /** Scope of Microsoft Graph's tokens. */
  readonly graphScope: string;
  /** Where applications sign in; `undefined`: a `custom` cloud without. */
  readonly authority: string | undefined;
}

/** https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud, https://learn.microsoft.com/graph/deployments, https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure */
const known: Readonly<Record<Exclude<CloudName, "custom">, CloudEndpoints>> = {
  public: endpoints({
    management: "management.azure.com",
    database: "ossrdbms-aad.database.windows.net",
    graph: "graph.microsoft.com",
    authority: "login.microsoftonline.com",
  }),
  usgovernment: endpoints({
    management: "management.usgovcloudapi.net",
    database: "ossrdbms-aad.database.usgovcloudapi.net",
    graph: "graph.microsoft.us",
    authority: "login.microsoftonline.us",
  }),
  china: endpoints({
    management: "management.chinacloudapi.cn",
    database: "ossrdbms-aad.database.chinacloudapi.cn",
    graph: "microsoftgraph.chinacloudapi.cn",
    authority: "login.partner.microsoftonline.cn",
  }),
};

/** Managed Redis knows one scope for all clouds. */
export const redisScope = "https://redis.azure.com/.default";
export const vaultScope = "https://vault.azure.net/.default";

/**
 * @param resourceManager endpoint of `custom`, whose tokens are those of the public cloud
 * @param entra endpoints of `custom`; what is left out there is nowhere, not in the public cloud
 */
export function endpointsOf(
  cloud: CloudName,
  resourceManager: string | undefined,
  entra: Partial<Pick<CloudEndpoints, "graph" | "authority">> = {},
): CloudEndpoints {
  if (cloud !== "custom") return known[cloud];
  const { public: given } = known;
  return {
    ...given,
    resourceManager: resourceManager ?? given.resourceManager,
    graph: entra.graph,
    authority: entra.authority,
  };
}

type Host = "management" | "database" | "graph" | "authority";

function endpoints({ management, database, graph, authority }: Record<Host, string>): CloudEndpoints {
  return {
    resourceManager: `https://${management}`,
    managementScope: `https://${management}/.default`,
    databaseScope: `https://${database}/.default`,
    graph: `https://${graph}`,
    graphScope: `https://${graph}/.default`,
    authority: `https://${authority}`,
  };
}
