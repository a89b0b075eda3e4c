import type { Millis } from "../../clock.ts";
import { byBody, type DataPlaneName, domain, type KeyKind, kind, listed, properties } from "./key-kind.ts";

const minute: Millis = 60_000;
const primaryAndSecondary = properties({ Primary: "primaryKey", Secondary: "secondaryKey" });
const inLowerCase = properties({ primary: "primaryKey", secondary: "secondaryKey" });
const accessKey = "Endpoint=https://{host};AccessKey={password};Version=1.0;";

/**
 * Every resource whose keys keyturn can turn. The rows differ in what Azure's teams have called things; operations,
 * names and versions are those of the API definitions (Azure/azure-rest-api-specs), domains those of
 * https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure and
 * https://learn.microsoft.com/azure/china/resources-developer-guide
 */
export const keyKinds: readonly KeyKind[] = [
  kind({
    types: ["Microsoft.Storage/storageAccounts"],
    apiVersion: "2026-04-01",
    regenerate: byBody("regenerateKey", "keyName"),
    pairs: [["key1", "key2"]],
    read: listed("keys", "keyName"),
    parts: ["account"],
    domain: domain("core.windows.net", "core.usgovcloudapi.net", "core.chinacloudapi.cn"),
    subdomain: "blob",
    connectionString:
      "DefaultEndpointsProtocol=https;AccountName={account};AccountKey={password};EndpointSuffix={suffix}",
    dataPlane: "storage",
  }),
  ...sharedAccessRules("Microsoft.ServiceBus/namespaces", ["queues", "topics"], "service-bus"),
  ...sharedAccessRules("Microsoft.EventHub/namespaces", ["eventhubs"], "event-hubs"),
  kind({
    types: ["Microsoft.DocumentDB/databaseAccounts"],
    apiVersion: "2026-03-15",
    regenerate: byBody("regenerateKey", "keyKind"),
    ...properties({
      primary: "primaryMasterKey",
      secondary: "secondaryMasterKey",
      primaryReadonly: "primaryReadonlyMasterKey",
      secondaryReadonly: "secondaryReadonlyMasterKey",
    }),
    // "from one minute to multiple hours": https://learn.microsoft.com/azure/cosmos-db/how-to-rotate-keys
    propagation: 6 * 60 * minute,
    parts: ["account"],
    domain: domain("documents.azure.com", "documents.azure.us", "documents.azure.cn"),
    connectionString: "AccountEndpoint=https://{host}:443/;AccountKey={password};",
    dataPlane: "cosmos",
  }),
  kind({
    types: ["Microsoft.CognitiveServices/accounts"],
    apiVersion: "2026-07-01",
    regenerate: byBody("regenerateKey", "keyName"),
    ...properties({ Key1: "key1", Key2: "key2" }),
    parts: ["account"],
    dataPlane: "ai-services",
  }),
  kind({
    types: ["Microsoft.Search/searchServices"],
    apiVersion: "2025-05-01",
    list: "listAdminKeys",
    regenerate: (name) => ({ operation: `regenerateAdminKey/${name}` }),
    ...inLowerCase,
    parts: ["service"],
    domain: domain("search.windows.net", "search.azure.us", "search.azure.cn"),
    dataPlane: "ai-search",
  }),
  kind({
    types: ["Microsoft.Cache/redisEnterprise/databases"],
    apiVersion: "2025-07-01",
    regenerate: byBody("regenerateKey", "keyType"),
    ...primaryAndSecondary,
    parts: ["cluster", "database"],
    connectionString: "{host},password={password},ssl=True,abortConnect=False",
  }),
  kind({
    types: ["Microsoft.Maps/accounts"],
    apiVersion: "2023-06-01",
    regenerate: byBody("regenerateKey", "keyType"),
    ...inLowerCase,
    parts: ["account"],
  }),
  kind({
    types: ["Microsoft.SignalRService/signalR"],
    apiVersion: "2024-03-01",
    regenerate: byBody("regenerateKey", "keyType"),
    ...primaryAndSecondary,
    parts: ["service"],
    domain: domain("service.signalr.net", "signalr.azure.us", "signalr.azure.cn"),
    connectionString: accessKey,
  }),
  kind({
    types: ["Microsoft.SignalRService/webPubSub"],
    apiVersion: "2024-03-01",
    regenerate: byBody("regenerateKey", "keyType"),
    ...primaryAndSecondary,
    parts: ["service"],
    domain: domain("webpubsub.azure.com", "webpubsub.azure.us", "webpubsub.azure.cn"),
    connectionString: accessKey,
  }),
  kind({
    types: ["Microsoft.AppConfiguration/configurationStores"],
    apiVersion: "2024-06-01",
    // The call wants the id of the key, which only the list tells.
    regenerate: (_name, { id }) => ({ operation: "regenerateKey", body: { id } }),
    pairs: [
      ["Primary", "Secondary"],
      ["Primary Read Only", "Secondary Read Only"],
    ],
    read: listed("value", "name"),
    parts: ["store"],
    domain: domain("azconfig.io", "azconfig.azure.us", "azconfig.azure.cn"),
    connectionString: "Endpoint=https://{host};{password}",
    idInText: true,
  }),
  kind({
    types: ["Microsoft.Batch/batchAccounts"],
    apiVersion: "2025-06-01",
    regenerate: byBody("regenerateKeys", "keyName"),
    ...properties({ Primary: "primary", Secondary: "secondary" }),
    parts: ["account"],
  }),
  kind({
    types: ["Microsoft.ContainerRegistry/registries"],
    apiVersion: "2025-11-01",
    list: "listCredentials",
    regenerate: byBody("regenerateCredential", "name"),
    pairs: [["password", "password2"]],
    read: listed("passwords", "name"),
    parts: ["registry"],
  }),
  kind({
    types: ["Microsoft.Communication/communicationServices"],
    apiVersion: "2026-03-18",
    regenerate: byBody("regenerateKey", "keyType"),
    ...primaryAndSecondary,
    parts: ["service"],
    connectionString: "endpoint=https://{host}/;accesskey={password}",
  }),
  kind({
    types: ["Microsoft.ApiManagement/service/subscriptions"],
    apiVersion: "2024-05-01",
    list: "listSecrets",
    regenerate: (name) => ({
      operation: name === "primary" ? "regeneratePrimaryKey" : "regenerateSecondaryKey",
    }),
    ...inLowerCase,
    parts: ["service", "subscription"],
  }),
];

/** Rules of a namespace, and rules of one entity in it, whose connection string names the entity. */
function sharedAccessRules(
  namespace: string,
  entities: readonly string[],
  dataPlane: DataPlaneName,
): KeyKind[] {
  const text = "Endpoint=sb://{host}/;SharedAccessKeyName={rule};SharedAccessKey={password}";
  const common = {
    apiVersion: "2026-01-01",
    regenerate: byBody("regenerateKeys", "keyType"),
    ...properties({ PrimaryKey: "primaryKey", SecondaryKey: "secondaryKey" }),
    domain: domain("servicebus.windows.net", "servicebus.usgovcloudapi.net", "servicebus.chinacloudapi.cn"),
    dataPlane,
  };
  return [
    kind({
      ...common,
      types: [`${namespace}/authorizationRules`],
      parts: ["namespace", "rule"],
      connectionString: text,
    }),
    kind({
      ...common,
      types: entities.map((entity) => `${namespace}/${entity}/authorizationRules`),
      parts: ["namespace", "entity", "rule"],
      connectionString: `${text};EntityPath={entity}`,
    }),
  ];
}
