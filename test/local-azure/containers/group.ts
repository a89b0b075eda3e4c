import { randomUUID } from "node:crypto";
import { Refusal } from "../http.ts";
import type { AzureState, ContainerState, GroupState, Identity } from "../state.ts";
import { type GroupDefinition, withoutSecrets } from "./definition.ts";

const idFormat =
  /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.ContainerInstance\/containerGroups\/([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$/i;

/** A group as the definition describes it, before anything runs. @throws Refusal 400 for a bad name or identity */
export function describeGroup(
  state: AzureState,
  id: string,
  definition: GroupDefinition,
  before: GroupState | undefined,
): GroupState {
  const [, name] = idFormat.exec(before?.id ?? id) ?? [];
  if (!name) throw new Refusal(400, "InvalidContainerGroupName", `'${id}' does not name a container group.`);
  const identity = identityOf(state, before?.id ?? id, name, definition);
  const containers = definition.properties.containers.map(
    (one) => before?.containers.find((container) => container.name === one.name) ?? newContainer(one.name),
  );
  const described = {
    tags: definition.tags,
    properties: withoutSecrets(definition.properties),
    identity,
    containers,
    provisioningState: "Pending",
  };
  return before
    ? Object.assign(before, described)
    : { id, name, location: definition.location, state: "Pending", ...described };
}

function newContainer(name: string): ContainerState {
  return {
    name,
    state: "Waiting",
    startTime: undefined,
    finishTime: undefined,
    exitCode: undefined,
    restartCount: 0,
    pid: undefined,
    log: [],
  };
}

/**
 * `instanceView.state` of a group that is not stopped. A crash loop under `Always` is a running group with waiting
 * containers; only under `Never` can it fail. Source: Azure Container Instances, "container states" page.
 */
export function groupStateOf(containers: readonly ContainerState[], policy: string): string {
  const ended = policy !== "Always" && containers.every(({ state }) => state === "Terminated");
  if (!ended) return "Running";
  return containers.every(({ exitCode }) => exitCode === 0) ? "Succeeded" : "Failed";
}

/** @throws Refusal 409 when `action` cannot begin now */
export function refuseConflict(group: GroupState, action: string): void {
  const [, , , , resourceGroup] = group.id.split("/");
  if (group.provisioningState === "Pending") {
    const message = `The container group '${group.name}' is still transitioning, please retry later.`;
    throw new Refusal(409, "ContainerGroupTransitioning", message);
  }
  // The text is Azure's (Azure/azure-cli#8136); status and code are not documented.
  if (action === "restart" && group.state === "Stopped") {
    const message = `Container Group '${group.name}' in resource group '${resourceGroup}' is stopped`;
    throw new Refusal(409, "ContainerGroupStopped", message);
  }
}

/** Finds the user-assigned identities of a definition, and gives the group one of its own if it asks for that. */
function identityOf(
  state: AzureState,
  id: string,
  name: string,
  { identity }: GroupDefinition,
): GroupState["identity"] {
  const own = systemAssignedIdentity(state, id);
  const wanted = identity?.type.toLowerCase() ?? "none";
  const userAssigned = wanted.includes("userassigned")
    ? Object.keys(identity?.userAssignedIdentities ?? {}).map((resourceId) =>
        findIdentity(state, id, resourceId),
      )
    : [];
  if (!wanted.includes("systemassigned")) {
    removeSystemAssigned(state, id);
    if (!identity || wanted === "none") return undefined;
    return { type: identity.type, principalIds: userAssigned };
  }
  const made = own ?? { name, principalId: randomUUID(), clientId: randomUUID(), resourceId: id };
  state.identities.set(made.principalId, made);
  return { type: identity?.type ?? "SystemAssigned", principalIds: [made.principalId, ...userAssigned] };
}

function findIdentity(state: AzureState, groupId: string, resourceId: string): string {
  const found = identityByResource(state, resourceId);
  if (found) return found.principalId;
  const message = `Identity operation for resource '${groupId}' failed with error: Resource '${resourceId}' was not found.`;
  throw new Refusal(400, "FailedIdentityOperation", message);
}

function identityByResource(state: AzureState, resourceId: string): Identity | undefined {
  return [...state.identities.values()].find(
    (one) => one.resourceId.toLowerCase() === resourceId.toLowerCase(),
  );
}

/** The identity that lives and dies with this group. */
export function systemAssignedIdentity(state: AzureState, groupId: string): Identity | undefined {
  return identityByResource(state, groupId);
}

export function removeSystemAssigned(state: AzureState, groupId: string): void {
  const own = systemAssignedIdentity(state, groupId);
  if (own) state.identities.delete(own.principalId);
}
