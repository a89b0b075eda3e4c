import { setTimeout as delay } from "node:timers/promises";
import { ManagedIdentityCredential } from "@azure/identity";
import { SecretClient } from "@azure/keyvault-secrets";
import { Client } from "pg";

/**
 * An application as keyturn's users have them: it reads its connection string from Key Vault when it starts, with its
 * own identity, and never again. It logs in anew for every query, so that a dead password shows at once, and reports
 * what it served to `METER_URL`.
 */
const { APP_NAME = "app", VAULT_URL = "", SECRET_NAME = "", METER_URL, LOCAL_VAULT } = process.env;
/** Milliseconds between two queries. */
const pause = Number(process.env.QUERY_PAUSE ?? 25);

const credential = new ManagedIdentityCredential({ clientId: process.env.AZURE_CLIENT_ID ?? "" });
const vault = new SecretClient(VAULT_URL, credential, {
  // A vault on localhost cannot show a name under vault.azure.net, which the SDK insists on.
  disableChallengeResourceVerification: LOCAL_VAULT === "1",
});

const stopping = new AbortController();
process.on("SIGTERM", () => stopping.abort());

const secret = await vault.getSecret(SECRET_NAME);
console.log(`${APP_NAME} started on version ${secret.properties.version}`);
const connectionString = secret.value ?? "";
// An application that cannot live with the new value, for trying out what happens then.
if (process.env.REFUSES_ROLE && new URL(connectionString).username === process.env.REFUSES_ROLE)
  process.exit(1);

let counted = { served: 0, failed: 0 };
let reportedAt = 0;
while (!stopping.signal.aborted) {
  const served = await query();
  counted = { served: counted.served + Number(served), failed: counted.failed + Number(!served) };
  if (performance.now() - reportedAt > 200) await report();
  await delay(pause, undefined, { signal: stopping.signal }).catch(() => {});
}
await report();

async function query(): Promise<boolean> {
  const client = new Client({ connectionString, ssl: true, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select count(*) from orders");
    return true;
  } catch (error) {
    console.log(`${APP_NAME} query failed: ${error instanceof Error ? error.name : "unknown"}`);
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function report(): Promise<void> {
  reportedAt = performance.now();
  if (!METER_URL || counted.served + counted.failed === 0) return;
  const body = JSON.stringify({ app: APP_NAME, version: secret.properties.version, ...counted });
  counted = { served: 0, failed: 0 };
  await fetch(METER_URL, { method: "POST", body }).catch(() => {});
}
