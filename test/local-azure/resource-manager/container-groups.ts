import type { Context, Hono } from "hono";
import { z } from "zod";
import type { Containers } from "../container-instances.ts";
import { Refusal } from "../http.ts";
import type { AzureState, GroupState } from "../state.ts";
import { type ArmEnv, authorise, requireResourceGroup, requireSubscription, segmentsOf } from "./arm.ts";
import { groupView } from "./group-view.ts";
import type { Operations } from "./operations.ts";

type Arm = Context<ArmEnv>;

const provider = "Microsoft.ContainerInstance/containerGroups";
const Patch = z.looseObject({ tags: z.record(z.string(), z.string()).optional() });

const inGroup = "/subscriptions/:subscription/resourcegroups/:group/providers";
const all = "/microsoft.containerinstance/containergroups";
const one = `${inGroup}${all}/:name`;

interface Parts {
  readonly app: Hono<ArmEnv>;
  readonly state: AzureState;
  readonly containers: Containers;
  readonly operations: Operations;
  /** How many groups a list answers at once. */
  readonly pageSize: number;
}

/** Container groups at ARM's addresses. */
export function serveContainerGroups(parts: Parts): void {
  serveLists(parts);
  serveResource(parts);
  serveActions(parts);
}

function serveLists({ app, state, containers, pageSize }: Parts): void {
  const list = (context: Arm) => {
    const scope = `/${segmentsOf(context.req.url).join("/")}`.replace(/\/providers\/.*$/i, "");
    authorise(state, context, `${provider}/read`, scope);
    const [, subscription = "", , resourceGroup] = segmentsOf(scope);
    requireSubscription(state, subscription);
    if (resourceGroup) requireResourceGroup(state, resourceGroup);
    const found = containers.list(scope);
    const from = Number(context.req.query("$skiptoken") ?? 0);
    const next = new URL(context.req.url);
    next.searchParams.set("$skiptoken", String(from + pageSize));
    return context.json({
      value: found.slice(from, from + pageSize).map((group) => groupView(state, group, "list")),
      ...(from + pageSize < found.length ? { nextLink: next.href } : {}),
    });
  };
  app.get(`/subscriptions/:subscription/providers${all}`, list);
  app.get(`${inGroup}${all}`, list);
}

function serveResource({ app, state, containers, operations }: Parts): void {
  app.get(one, (context) => context.json(groupView(state, find(context, "read", state, containers))));
  app.put(one, async (context) => {
    const id = reach(context, "write", state);
    const begun = await containers.beginPut(id, await bodyOf(context));
    const headers = operations.track(context, begun);
    return context.json(groupView(state, begun.group), begun.created ? 201 : 200, headers);
  });
  app.patch(one, async (context) => {
    const group = find(context, "write", state, containers);
    const patch = Patch.safeParse(await bodyOf(context));
    if (!patch.success) throw new Refusal(400, "InvalidRequestContent", "tags: expected a map of texts");
    group.tags = patch.data.tags ?? group.tags;
    return context.json(groupView(state, group));
  });
  app.delete(one, async (context) => {
    const id = reach(context, "delete", state);
    if (!containers.get(id)) return context.body(null, 204);
    return operations.accept(context, "delete", await containers.begin(id, "delete"));
  });
}

function serveActions({ app, state, containers, operations }: Parts): void {
  for (const action of ["restart", "start", "stop"] as const) {
    app.post(`${one}/${action}`, async (context) => {
      const { id, state: before } = find(context, `${action}/action`, state, containers);
      const begun = await containers.begin(id, action);
      // `stop` is not long-running in the API, and `start` has nothing to do for a group that runs.
      const isShort = action === "stop" || (action === "start" && before === "Running");
      return isShort ? context.body(null, 204) : operations.accept(context, action, begun);
    });
  }
  app.get(`${one}/containers/:container/logs`, (context) => {
    const group = find(context, "containers/logs/read", state, containers);
    const name = context.req.param("container");
    const container = group.containers.find((candidate) => candidate.name === name);
    if (!container) throw new Refusal(404, "ContainerNotFound", `There is no container '${name}'.`);
    const tail = Number(context.req.query("tail") ?? Number.POSITIVE_INFINITY);
    return context.json({
      content: container.log
        .slice(-tail)
        .map((line) => `${line}\n`)
        .join(""),
    });
  });
}

/** The id asked for, after checking the caller's right first and then that everything on the way exists. */
function reach(context: Arm, action: string, state: AzureState): string {
  const id = groupIdOf(context);
  authorise(state, context, `${provider}/${action}`, id);
  const [, subscription = "", , resourceGroup = ""] = segmentsOf(context.req.url);
  requireSubscription(state, subscription);
  requireResourceGroup(state, resourceGroup);
  return id;
}

function find(context: Arm, action: string, state: AzureState, containers: Containers): GroupState {
  const found = containers.get(reach(context, action, state));
  if (found) return found;
  throw new Refusal(404, "ResourceNotFound", notFoundText(context));
}

/** The id in Azure's spelling, with names as the caller wrote them. */
function groupIdOf(context: Arm): string {
  const [, subscription, , resourceGroup, , , , name] = segmentsOf(context.req.url);
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/${provider}/${name}`;
}

function notFoundText(context: Arm): string {
  const [, , , resourceGroup, , , , name] = segmentsOf(context.req.url);
  return (
    `The Resource '${provider}/${name}' under resource group '${resourceGroup}' was not found. ` +
    "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
  );
}

async function bodyOf(context: Arm): Promise<unknown> {
  try {
    return await context.req.json();
  } catch {
    throw new Refusal(
      400,
      "InvalidRequestContent",
      "The request content was invalid and could not be deserialized.",
    );
  }
}
