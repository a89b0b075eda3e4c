import type { LocalAzure } from "./index.ts";
import type { VaultState } from "./state.ts";

export interface GuideParts {
  /** `export` lines. */
  readonly environment: string;
  readonly identityUrl: string;
  readonly azure: Pick<LocalAzure, "ca" | "urls" | "postgresLoginPort">;
  readonly vault: VaultState;
}

/** What `npm run azure` prints: what to export, and commands to copy. A test runs the ones for curl as they stand. */
export function guide({ environment, identityUrl, azure, vault }: GuideParts): string {
  const { ca, urls, postgresLoginPort } = azure;
  const token = `${identityUrl}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`;
  const secret = `${vault.url}/secrets/orders-db?api-version=7.6`;
  return `The local Azure is up, on loopback only. Ctrl-C ends it.

# What a worker or an SDK needs
${environment}
# A token from the identity endpoint, a secret put and got
TOKEN=$(curl -sS -H Metadata:true '${token}' | sed -E 's/.*"access_token":"([^"]+)".*/\\1/')
curl -sS --cacert '${ca.file}' -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"value":"not-a-real-password"}' '${secret}'
curl -sS --cacert '${ca.file}' -H "Authorization: Bearer $TOKEN" '${secret}'

# Faults, state, events, limits: the control endpoint explains itself
curl -sS '${urls.control}/'

# A PostgreSQL of yours takes tokens as passwords with this line in pg_hba.conf
# hostssl all +azure_ad 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport=${postgresLoginPort} ldapprefix="cn=" ldapsuffix=",o=azure"

# The Azure CLI, in a shell of its own: MSI_ENDPOINT would make SDKs choose another kind of identity
export AZURE_CONFIG_DIR=$(mktemp -d) REQUESTS_CA_BUNDLE='${ca.file}' MSI_ENDPOINT='${identityUrl}/oauth2/token'
az cloud register --name keyturn-local --endpoint-resource-manager '${urls.resourceManager}' --endpoint-active-directory '${urls.authority}' --endpoint-active-directory-resource-id https://management.azure.com/ --endpoint-active-directory-graph-resource-id https://graph.microsoft.com/ --endpoint-management '${urls.resourceManager}'
az cloud set --name keyturn-local
az login --identity
az rest --resource https://vault.azure.net --url '${secret}'
`;
}
