import type { AzureState, ContainerState, GroupState } from "../state.ts";

/** A container group as ARM tells it; lists come without instance views. */
export function groupView(state: AzureState, group: GroupState, detail: "full" | "list" = "full"): object {
  const { id, name, location, tags, properties, provisioningState } = group;
  const full = detail === "full";
  return {
    id,
    name,
    type: "Microsoft.ContainerInstance/containerGroups",
    location,
    tags,
    identity: identityView(state, group),
    properties: {
      sku: "Standard",
      ...properties,
      provisioningState,
      containers: properties.containers.map((container) => ({
        name: container.name,
        properties: {
          ...container.properties,
          ...(full ? { instanceView: instanceView(group.containers, container.name) } : {}),
        },
      })),
      ...(full ? { instanceView: { events: [], state: group.state } } : {}),
    },
  };
}

function instanceView(containers: readonly ContainerState[], name: string): object | undefined {
  const container = containers.find((one) => one.name === name);
  if (!container) return undefined;
  const { restartCount, previousState, events = [] } = container;
  return {
    restartCount,
    currentState: stateView(container),
    ...(previousState ? { previousState: stateView(previousState) } : {}),
    events: events.map((event) => ({
      ...event,
      firstTimestamp: time(event.firstTimestamp),
      lastTimestamp: time(event.lastTimestamp),
    })),
  };
}

function stateView({ state, startTime, finishTime, exitCode, detailStatus = "" }: StateFields): object {
  return { state, startTime: time(startTime), finishTime: time(finishTime), exitCode, detailStatus };
}

type StateFields = NonNullable<ContainerState["previousState"]>;

function identityView(state: AzureState, { id, identity }: GroupState): object | undefined {
  if (!identity) return undefined;
  const held = identity.principalIds.flatMap((principalId) => state.identities.get(principalId) ?? []);
  const own = held.find(({ resourceId }) => resourceId.toLowerCase() === id.toLowerCase());
  const userAssigned = held
    .filter((one) => one !== own)
    .map(({ resourceId, principalId, clientId }) => [resourceId, { principalId, clientId }] as const);
  return {
    type: identity.type,
    ...(own ? { principalId: own.principalId, tenantId: state.tenantId } : {}),
    ...(userAssigned.length > 0 ? { userAssignedIdentities: Object.fromEntries(userAssigned) } : {}),
  };
}

function time(timestamp: number | undefined): string | undefined {
  return timestamp === undefined ? undefined : new Date(timestamp).toISOString();
}
