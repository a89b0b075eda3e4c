#!/usr/bin/env bash
# Creates what keyturn needs, with the Azure CLI: an identity, the least roles, a queue, the subscription that fills it,
# Redis, and the container group. It can be run again: what is there is left or brought up to date.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<TEXT
usage: deploy/setup.sh [--dry-run] [--help]

Set in the environment:
  SUBSCRIPTION    subscription id
  RESOURCE_GROUP  where keyturn lives; created if it is not there
  LOCATION        such as westeurope
  VAULT_ID        resource id of the Key Vault whose secrets are rotated
  SCOPES          resource ids under which dependents live, separated by blanks: the policy's scopes
  POLICY          path of the policy file
  IMAGE           image by digest: registry.azurecr.io/keyturn@sha256:...
Optional:
  NAME            prefix of the names, default keyturn (Service Bus and Redis names are global)
  REGISTRY_ID     resource id of the container registry: the identity gets AcrPull there

  --dry-run       print the commands, run none
TEXT
}

dry=
for argument in "$@"; do
  case $argument in
    --dry-run) dry=1 ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

for name in SUBSCRIPTION RESOURCE_GROUP LOCATION VAULT_ID SCOPES POLICY IMAGE; do
  if [ -z "${!name:-}" ]; then echo "deploy/setup.sh: $name is not set (--help says what it is)" >&2; exit 2; fi
done
case $IMAGE in *@sha256:*) ;; *) echo "deploy/setup.sh: IMAGE must name a digest: a restart pulls a changed tag" >&2; exit 2 ;; esac
if [ ! -r "$POLICY" ]; then echo "deploy/setup.sh: $POLICY cannot be read" >&2; exit 2; fi

name=${NAME:-keyturn}
queue=keyturn-events
redis=$name-redis
scope=/subscriptions/$SUBSCRIPTION/resourceGroups/$RESOURCE_GROUP
identity_id=$scope/providers/Microsoft.ManagedIdentity/userAssignedIdentities/$name
queue_id=$scope/providers/Microsoft.ServiceBus/namespaces/$name/queues/$queue
redis_id=$scope/providers/Microsoft.Cache/redisEnterprise/$redis
vault_rest=${VAULT_ID##*/resourceGroups/}
vault_group=${vault_rest%%/*}
topic=$name-secrets

# Every change goes through here, so that --dry-run shows all of them.
run() {
  if [ -n "$dry" ]; then printf '%q ' az "$@"; echo; else az "$@" --only-show-errors; fi
}

# What only Azure knows; a dry run shows a placeholder.
ask() {
  local placeholder=$1
  shift
  if [ -n "$dry" ]; then echo "<$placeholder>"; else az "$@" --only-show-errors --output tsv; fi
}

# A new identity and a new role take a while until every part of Azure knows them.
again() {
  local try
  for try in 1 2 3 4 5 6 7 8; do
    if "$@"; then return 0; fi
    echo "not yet (try $try); waiting for it to spread" >&2
    sleep 15
  done
  "$@"
}

grant() { # principal, role, scope
  again run role assignment create --assignee-object-id "$1" --assignee-principal-type ServicePrincipal --role "$2" --scope "$3"
}

define_role() { # file
  local definition
  definition=$(sed "s/@SUBSCRIPTION@/$SUBSCRIPTION/" "$1")
  # `create` fails for a role that is there, `update` one that is not.
  run role definition create --role-definition "$definition" || run role definition update --role-definition "$definition"
}

run account set --subscription "$SUBSCRIPTION"
for provider in Microsoft.EventGrid Microsoft.ServiceBus Microsoft.Cache Microsoft.ContainerInstance Microsoft.ManagedIdentity; do
  run provider register --namespace "$provider"
done
run group create --name "$RESOURCE_GROUP" --location "$LOCATION"

echo "# the identity, and what it may do" >&2
run identity create --name "$name" --resource-group "$RESOURCE_GROUP" --location "$LOCATION"
principal=$(ask principal-id identity show --ids "$identity_id" --query principalId)
client=$(ask client-id identity show --ids "$identity_id" --query clientId)
define_role "$here/roles/keyturn-secrets.json"
define_role "$here/roles/keyturn-restarter.json"
grant "$principal" "Keyturn Secrets" "$VAULT_ID"
for dependents in $SCOPES; do grant "$principal" "Keyturn Restarter" "$dependents"; done
if [ -n "${REGISTRY_ID:-}" ]; then grant "$principal" AcrPull "$REGISTRY_ID"; fi

echo "# the queue: nobody but Event Grid sends, nobody but keyturn receives, and no key exists for either" >&2
run servicebus namespace create --name "$name" --resource-group "$RESOURCE_GROUP" --location "$LOCATION" --sku Standard --minimum-tls-version 1.2
run resource update --ids "$scope/providers/Microsoft.ServiceBus/namespaces/$name" --set properties.disableLocalAuth=true
run servicebus queue create --name "$queue" --namespace-name "$name" --resource-group "$RESOURCE_GROUP" --lock-duration PT1M --max-delivery-count 10 --enable-duplicate-detection true --duplicate-detection-history-time-window P1D --enable-dead-lettering-on-message-expiration true
grant "$principal" "Azure Service Bus Data Receiver" "$queue_id"

echo "# the events: the topic's own identity may send before the subscription is made, or it would be denied" >&2
run eventgrid system-topic create --name "$topic" --resource-group "$vault_group" --location "$LOCATION" --topic-type Microsoft.KeyVault.vaults --source "$VAULT_ID" --identity systemassigned
sender=$(ask topic-principal-id eventgrid system-topic show --name "$topic" --resource-group "$vault_group" --query identity.principalId)
grant "$sender" "Azure Service Bus Data Sender" "$queue_id"
again run eventgrid system-topic event-subscription create --name keyturn --system-topic-name "$topic" --resource-group "$vault_group" --event-delivery-schema cloudeventschemav1_0 --included-event-types Microsoft.KeyVault.SecretNearExpiry Microsoft.KeyVault.SecretExpired Microsoft.KeyVault.SecretNewVersionCreated --delivery-identity systemassigned --delivery-identity-endpoint-type servicebusqueue --delivery-identity-endpoint "$queue_id" --event-ttl 1440 --max-delivery-attempts 30

echo "# Redis: one endpoint, nothing evicted, log-in by token only" >&2
put() { # resource id, body
  run rest --method put --url "https://management.azure.com$1?api-version=2025-07-01" --body "$2"
  run resource wait --ids "$1" --api-version 2025-07-01 --custom "properties.provisioningState=='Succeeded'" --timeout 3600
}
put "$redis_id" "{\"location\":\"$LOCATION\",\"sku\":{\"name\":\"Balanced_B0\"},\"properties\":{\"minimumTlsVersion\":\"1.2\",\"publicNetworkAccess\":\"Enabled\",\"highAvailability\":\"Enabled\"}}"
put "$redis_id/databases/default" '{"properties":{"clientProtocol":"Encrypted","port":10000,"clusteringPolicy":"NoCluster","evictionPolicy":"NoEviction","accessKeysAuthentication":"Disabled"}}'
put "$redis_id/databases/default/accessPolicyAssignments/keyturn" "{\"properties\":{\"accessPolicyName\":\"default\",\"user\":{\"objectId\":\"$principal\"}}}"
redis_host=$(ask redis-host resource show --ids "$redis_id" --api-version 2025-07-01 --query properties.hostName)

echo "# keyturn" >&2
policy_base64=$(base64 <"$POLICY" | tr -d '\n')
filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
sed -e "s|@LOCATION@|$LOCATION|; s|@IDENTITY_ID@|$identity_id|; s|@REGISTRY@|${IMAGE%%/*}|; s|@IMAGE@|$IMAGE|" \
  -e "s|@SERVICEBUS@|$name|; s|@QUEUE@|$queue|; s|@REDIS_HOST@|$redis_host|; s|@CLIENT_ID@|$client|; s|@POLICY_BASE64@|$policy_base64|" \
  "$here/container-group.yaml" >"$filled"
if [ -n "$dry" ]; then cat "$filled"; fi
run container create --resource-group "$RESOURCE_GROUP" --file "$filled"

echo "# what has to be done at the providers themselves is in src/rotators/README.md" >&2
