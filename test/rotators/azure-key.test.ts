import { describe, expect, test } from "vitest";
import { azureKey } from "../../src/rotators/azure-key.ts";
import { describeRotator } from "../support/describe-rotator.ts";
import { type KeysInMemory, keysInMemory } from "../support/keys-in-memory.ts";
import { providersWith } from "../support/providers.ts";

const world: KeysInMemory = await keysInMemory();
let turn = 0;

/** A resource of its own for each test. */
function add(type: string, host = ""): string {
  turn += 1;
  return world.add(`${type}/orders${turn}`, host ? { host: `orders${turn}.${host}` } : {}).id;
}

async function written(): Promise<string> {
  return JSON.stringify(world.state.calls);
}

const providers = () => providersWith({ azureKeys: world.azureKeys });

describeRotator("azure-key on a storage account", {
  rotator: azureKey,
  target: async () => ({ resource: add("Microsoft.Storage/storageAccounts", "blob.core.windows.net") }),
  providers,
  written,
});

describeRotator("azure-key on an account whose keys are proven by listing them", {
  rotator: azureKey,
  target: async () => ({ resource: add("Microsoft.Maps/accounts") }),
  providers,
  written,
});
