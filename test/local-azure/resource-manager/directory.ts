import type { Hono } from "hono";
import { Refusal } from "../http.ts";
import { actionsAt } from "../roles.ts";
import type { AzureState } from "../state.ts";
import {
  type ArmEnv,
  authorise,
  requireResourceGroup,
  requireSubscription,
  resourceGroupsOf,
  segmentsOf,
} from "./arm.ts";

const location = "local";
const resourceTypes: Readonly<Record<string, readonly string[]>> = {
  "Microsoft.ContainerInstance": ["containerGroups", "locations/operations"],
  "Microsoft.KeyVault": ["vaults"],
  "Microsoft.ManagedIdentity": ["userAssignedIdentities"],
};

/** What tools look up before they do anything: subscriptions, tenants, resource groups, providers, identities, rights. */
export function serveDirectory(app: Hono<ArmEnv>, state: AzureState): void {
  serveSubscriptions(app, state);
  serveResourceGroups(app, state);
  serveProviders(app, state);
  serveIdentities(app, state);
  app.get("/:scope{.+}/providers/microsoft.authorization/permissions", (context) => {
    const scope = `/${segmentsOf(context.req.url).slice(0, -3).join("/")}`;
    const patterns = actionsAt(state, context.get("claims").oid, scope);
    return context.json({
      value: patterns.map((pattern) => ({
        actions: isDataAction(pattern) ? [] : [pattern],
        notActions: [],
        dataActions: isDataAction(pattern) ? [pattern] : [],
        notDataActions: [],
      })),
    });
  });
}

/** `*` and the reader's pattern speak of the control plane only. */
function isDataAction(pattern: string): boolean {
  return /^Microsoft\.(KeyVault\/vaults\/secrets|ServiceBus\/namespaces\/messages)\//i.test(pattern);
}

function serveSubscriptions(app: Hono<ArmEnv>, state: AzureState): void {
  const { subscriptionId, tenantId } = state;
  const subscription = {
    id: `/subscriptions/${subscriptionId}`,
    subscriptionId,
    tenantId,
    displayName: "local",
    state: "Enabled",
    subscriptionPolicies: { quotaId: "local", spendingLimit: "Off" },
  };
  app.get("/tenants", (context) =>
    context.json({
      value: [{ id: `/tenants/${tenantId}`, tenantId, displayName: "local", tenantCategory: "Home" }],
    }),
  );
  /** A principal sees a subscription as soon as it has any role in it. */
  const isVisible = (principalId: string) =>
    state.roleAssignments.some((given) => given.principalId === principalId);
  app.get("/subscriptions", (context) =>
    context.json({ value: isVisible(context.get("claims").oid) ? [subscription] : [] }),
  );
  app.get("/subscriptions/:subscription", (context) => {
    requireSubscription(state, context.req.param("subscription"));
    if (!isVisible(context.get("claims").oid)) {
      authorise(state, context, "Microsoft.Resources/subscriptions/read", subscription.id);
    }
    return context.json(subscription);
  });
  app.get("/subscriptions/:subscription/locations", (context) =>
    context.json({
      value: [{ id: `${subscription.id}/locations/${location}`, name: location, displayName: location }],
    }),
  );
}

function serveResourceGroups(app: Hono<ArmEnv>, state: AzureState): void {
  const view = (name: string) => ({
    id: `/subscriptions/${state.subscriptionId}/resourceGroups/${name}`,
    name,
    type: "Microsoft.Resources/resourceGroups",
    location: state.resourceGroups.get(name.toLowerCase())?.location ?? location,
    tags: state.resourceGroups.get(name.toLowerCase())?.tags ?? {},
    properties: { provisioningState: "Succeeded" },
  });
  const read = "Microsoft.Resources/subscriptions/resourceGroups/read";
  const path = "/subscriptions/:subscription/resourcegroups";
  app.get(path, (context) => {
    const [, subscription = ""] = segmentsOf(context.req.url);
    requireSubscription(state, subscription);
    authorise(state, context, read, `/subscriptions/${subscription}`);
    return context.json({ value: [...resourceGroupsOf(state).values()].map(view) });
  });
  // HEAD comes here too: hono answers it from GET, without the body.
  app.get(`${path}/:group`, (context) => {
    const [, subscription = "", , name = ""] = segmentsOf(context.req.url);
    authorise(state, context, read, view(name).id);
    requireSubscription(state, subscription);
    requireResourceGroup(state, name);
    return context.json(view(resourceGroupsOf(state).get(name.toLowerCase()) ?? name));
  });
  app.put(`${path}/:group`, async (context) => {
    const [, subscription = "", , name = ""] = segmentsOf(context.req.url);
    requireSubscription(state, subscription);
    authorise(state, context, "Microsoft.Resources/subscriptions/resourceGroups/write", view(name).id);
    const known = resourceGroupsOf(state).get(name.toLowerCase());
    const body = await context.req.json<{ location?: string; tags?: Record<string, string> }>();
    const made = { name: known ?? name, location: body.location ?? location, tags: body.tags ?? {} };
    state.resourceGroups.set(name.toLowerCase(), made);
    return context.json(view(made.name), known ? 200 : 201);
  });
}

function serveProviders(app: Hono<ArmEnv>, state: AzureState): void {
  const view = (namespace: string) => ({
    id: `/subscriptions/${state.subscriptionId}/providers/${namespace}`,
    namespace,
    registrationState: "Registered",
    resourceTypes: (resourceTypes[namespace] ?? []).map((resourceType) => ({
      resourceType,
      locations: [location],
      apiVersions: ["2023-05-01"],
    })),
  });
  app.get("/subscriptions/:subscription/providers", (context) =>
    context.json({ value: Object.keys(resourceTypes).map(view) }),
  );
  app.get("/subscriptions/:subscription/providers/:namespace", (context) => {
    const wanted = context.req.param("namespace").toLowerCase();
    const found = Object.keys(resourceTypes).find((name) => name.toLowerCase() === wanted);
    if (found) return context.json(view(found));
    throw new Refusal(404, "InvalidResourceNamespace", `The resource namespace '${wanted}' is invalid.`);
  });
}

function serveIdentities(app: Hono<ArmEnv>, state: AzureState): void {
  const path =
    "/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.managedidentity/userassignedidentities/:name";
  app.get(path, (context) => {
    const id = `/${segmentsOf(context.req.url).join("/")}`;
    authorise(state, context, "Microsoft.ManagedIdentity/userAssignedIdentities/read", id);
    const found = [...state.identities.values()].find(
      ({ resourceId }) => resourceId.toLowerCase() === id.toLowerCase(),
    );
    if (!found) throw new Refusal(404, "ResourceNotFound", `The Resource '${id}' was not found.`);
    const { name, resourceId, principalId, clientId } = found;
    return context.json({
      id: resourceId,
      name,
      type: "Microsoft.ManagedIdentity/userAssignedIdentities",
      location,
      tags: {},
      properties: { principalId, clientId, tenantId: state.tenantId },
    });
  });
}
