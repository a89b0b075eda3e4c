/**
 * How Resource Manager lists and regenerates the keys of each type, after Azure's published API definitions
 * (Azure/azure-rest-api-specs) and the `@azure/arm-*` packages made from them. Written down here a second time on
 * purpose: what keyturn sends is held against this, not against itself.
 */
export interface KeyApi {
  readonly apiVersion: string;
  /** Operation that lists; Resource Manager does not mind case. */
  readonly list: string;
  /** Names of the keys, as the regenerating call has them. */
  readonly keys: readonly string[];
  /** Body of the list. */
  readonly show: (keys: readonly ShownKey[]) => object;
  /** Which key a call regenerates; `undefined`: it is not such a call, or its body is wrong. */
  readonly regenerates: (call: KeyCall, keys: readonly ShownKey[]) => string | undefined;
  /** What regenerating answers: all keys, the new one alone, or nothing. */
  readonly answer: "all" | "one" | "none";
  /** How a long-running call is to be followed. */
  readonly longRunning?: "status" | "location";
}

interface ShownKey {
  readonly name: string;
  readonly id: string;
  readonly value: string;
}

interface KeyCall {
  /** In lower case, `regeneratekey` or `regenerateadminkey/primary`. */
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const primaryAndSecondary = {
  keys: ["Primary", "Secondary"],
  show: shown({ Primary: "primaryKey", Secondary: "secondaryKey" }),
};
const inLowerCase = {
  keys: ["primary", "secondary"],
  show: shown({ primary: "primaryKey", secondary: "secondaryKey" }),
};
const rule: KeyApi = {
  apiVersion: "2026-01-01",
  list: "listKeys",
  keys: ["PrimaryKey", "SecondaryKey"],
  show: shown({ PrimaryKey: "primaryKey", SecondaryKey: "secondaryKey" }),
  regenerates: named("regenerateKeys", "keyType"),
  answer: "all",
};

const apis: Readonly<Record<string, KeyApi>> = {
  "Microsoft.Storage/storageAccounts": {
    apiVersion: "2026-04-01",
    list: "listKeys",
    keys: ["key1", "key2"],
    show: (keys) => ({
      keys: keys.map(({ name, value }) => ({ keyName: name, value, permissions: "FULL" })),
    }),
    regenerates: named("regenerateKey", "keyName"),
    answer: "all",
  },
  "Microsoft.ServiceBus/namespaces/authorizationRules": rule,
  "Microsoft.ServiceBus/namespaces/queues/authorizationRules": rule,
  "Microsoft.ServiceBus/namespaces/topics/authorizationRules": rule,
  "Microsoft.EventHub/namespaces/authorizationRules": rule,
  "Microsoft.EventHub/namespaces/eventhubs/authorizationRules": rule,
  "Microsoft.DocumentDB/databaseAccounts": {
    apiVersion: "2026-03-15",
    list: "listKeys",
    keys: ["primary", "secondary", "primaryReadonly", "secondaryReadonly"],
    show: shown({
      primary: "primaryMasterKey",
      secondary: "secondaryMasterKey",
      primaryReadonly: "primaryReadonlyMasterKey",
      secondaryReadonly: "secondaryReadonlyMasterKey",
    }),
    regenerates: named("regenerateKey", "keyKind"),
    answer: "none",
    longRunning: "status",
  },
  "Microsoft.Cache/redisEnterprise/databases": {
    apiVersion: "2025-07-01",
    list: "listKeys",
    ...primaryAndSecondary,
    regenerates: named("regenerateKey", "keyType"),
    answer: "all",
    longRunning: "status",
  },
  "Microsoft.CognitiveServices/accounts": {
    apiVersion: "2026-07-01",
    list: "listKeys",
    keys: ["Key1", "Key2"],
    show: shown({ Key1: "key1", Key2: "key2" }),
    regenerates: named("regenerateKey", "keyName"),
    answer: "all",
  },
  "Microsoft.Search/searchServices": {
    apiVersion: "2025-05-01",
    list: "listAdminKeys",
    ...inLowerCase,
    regenerates: ({ operation }) => /^regenerateadminkey\/(primary|secondary)$/.exec(operation)?.[1],
    answer: "all",
  },
  "Microsoft.Maps/accounts": {
    apiVersion: "2023-06-01",
    list: "listKeys",
    ...inLowerCase,
    regenerates: named("regenerateKey", "keyType"),
    answer: "all",
  },
  "Microsoft.SignalRService/signalR": {
    apiVersion: "2024-03-01",
    list: "listKeys",
    ...primaryAndSecondary,
    regenerates: named("regenerateKey", "keyType"),
    answer: "all",
    longRunning: "location",
  },
  "Microsoft.SignalRService/webPubSub": {
    apiVersion: "2024-03-01",
    list: "listKeys",
    ...primaryAndSecondary,
    regenerates: named("regenerateKey", "keyType"),
    answer: "all",
    longRunning: "location",
  },
  "Microsoft.AppConfiguration/configurationStores": {
    apiVersion: "2024-06-01",
    list: "listKeys",
    keys: ["Primary", "Secondary", "Primary Read Only", "Secondary Read Only"],
    show: (keys) => ({ value: keys.map((key) => ({ ...key, readOnly: key.name.endsWith("Read Only") })) }),
    regenerates: ({ operation, body }, keys) =>
      operation === "regeneratekey" ? keys.find(({ id }) => id === body.id)?.name : undefined,
    answer: "one",
  },
  "Microsoft.Batch/batchAccounts": {
    apiVersion: "2025-06-01",
    list: "listKeys",
    keys: ["Primary", "Secondary"],
    show: shown({ Primary: "primary", Secondary: "secondary" }),
    regenerates: named("regenerateKeys", "keyName"),
    answer: "all",
  },
  "Microsoft.ContainerRegistry/registries": {
    apiVersion: "2025-11-01",
    list: "listCredentials",
    keys: ["password", "password2"],
    show: (keys) => ({ username: "registry", passwords: keys.map(({ name, value }) => ({ name, value })) }),
    regenerates: named("regenerateCredential", "name"),
    answer: "all",
  },
  "Microsoft.Communication/communicationServices": {
    apiVersion: "2026-03-18",
    list: "listKeys",
    ...primaryAndSecondary,
    regenerates: named("regenerateKey", "keyType"),
    answer: "all",
  },
  "Microsoft.ApiManagement/service/subscriptions": {
    apiVersion: "2024-05-01",
    list: "listSecrets",
    ...inLowerCase,
    regenerates: ({ operation }) => /^regenerate(primary|secondary)key$/.exec(operation)?.[1],
    answer: "none",
  },
};

export const keyedTypes: readonly string[] = Object.keys(apis);

/** Type names are compared without regard to case. @throws Error for a type without keys */
export function keyApiOf(type: string): KeyApi {
  const name = keyedTypes.find((known) => known.toLowerCase() === type.toLowerCase());
  const api = name === undefined ? undefined : apis[name];
  if (!api) throw new Error(`the local Azure knows no keys of ${type}`);
  return api;
}

/** One property per key. */
function shown(names: Readonly<Record<string, string>>): KeyApi["show"] {
  return (keys) => Object.fromEntries(keys.map(({ name, value }) => [names[name] ?? name, value]));
}

/** `operation` with the name of the key in one property. */
function named(operation: string, property: string): KeyApi["regenerates"] {
  return (call, keys) =>
    call.operation === operation.toLowerCase()
      ? keys.find(({ name }) => name === call.body[property])?.name
      : undefined;
}
