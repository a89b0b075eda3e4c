import { createSignSas } from "../../../src/providers/azure-keys/storage-sas.ts";
import { SecretValue } from "../../../src/secret-value.ts";
import { createResourceManager } from "../../../src/azure/resource-manager.ts";
import { createAzureKeys } from "../../../src/providers/azure-keys/azure-keys.ts";
import { createDataPlane } from "../../local-azure/keys/data-plane.ts";
import { isGranted } from "../../local-azure/keys/shared-access-signature.ts";
import { acceptedKeys, addKeyedResource, keyNamed, regenerate } from "../../local-azure/keys/resources.ts";
import { keyedResourceId, resourceGroupId } from "../../local-azure/resource-ids.ts";
import { grant } from "../../local-azure/resources.ts";
import type { DerivedSecret, Scenario } from "./scenario.ts";

const endpoint = "https://management.azure.com";
const host = "orders.blob.core.windows.net";
const path = "Microsoft.Storage/storageAccounts/orders";

/** A storage account: `key1` is in use. */
export const azureKey: Scenario = {
  name: "azure-key",
  overlap: "dual",
  origin: "minted",
  secret: {
    rotator: "azure-key",
    target: { resource: keyedResourceId({ subscriptionId: "00000000-0000-4000-8000-000000000001" }, path) },
  },
  install({ state, tokens: _tokens, identity }) {
    const resource = addKeyedResource(state, path, { endpoint: `https://${host}` });
    grant(state, identity.principalId, "Keyturn Keys", resourceGroupId(state, "data"));
    return {
      first: keyNamed(resource, "key1").value,
      services: { [host]: createDataPlane(state, resource) },
      live: () => new Set(acceptedKeys(resource, state.clock)),
      acceptsDerived: (text) => acceptedKeys(resource, state.clock).some((key) => hasSigned(key, text)),
      connect({ client, credential, clock }) {
        const resourceManager = createResourceManager({
          credential,
          endpoint,
          scope: `${endpoint}/.default`,
          clock,
          client,
        });
        return { azureKeys: createAzureKeys({ resourceManager, cloud: "public", client }) };
      },
      changeByHand(text) {
        const key = resource.keys.find(({ value }) => value === text) ?? keyNamed(resource, "key1");
        regenerate(resource, key, state.clock);
        return key.value;
      },
    };
  },
};

const known = new Map<string, boolean>();

/** Asked at every step of every history, and always the same. */
function hasSigned(key: string, text: string): boolean {
  const url = `https://${host}/inbox?restype=container&comp=list&${text}`;
  const isSigned = known.get(`${key} ${text}`) ?? isGranted(new URL(url), "orders", [key], 0);
  known.set(`${key} ${text}`, isSigned);
  return isSigned;
}

const signature: DerivedSecret = {
  name: "orders-sas",
  secret: { sas: { container: "inbox", permissions: ["read", "list"] } },
  readers: ["orders-reports"],
  textFrom: (key, exp = 0) =>
    createSignSas("orders")(
      { kind: "container", container: "inbox", permissions: "rl" },
      new SecretValue(key),
      exp * 1000,
    ).reveal(),
};

/** A storage account of which somebody reads a shared access signature, and nobody knows which key has signed it. */
export const derivedSignature: Scenario = { ...azureKey, name: "azure-key, derived", derived: [signature] };
