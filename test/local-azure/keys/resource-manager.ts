import { randomUUID } from "node:crypto";
import type { Context, Hono } from "hono";
import { z } from "zod";
import { Refusal } from "../http.ts";
import { type ArmEnv, authorise, segmentsOf } from "../resource-manager/arm.ts";
import type { AzureState } from "../state.ts";
import { type KeyApi, keyApiOf, keyedTypes } from "./definitions.ts";
import { regenerate, typeOf } from "./resources.ts";
import type { KeyedResourceState, KeyState } from "./state.ts";

const Body = z.record(z.string(), z.unknown());

/** What a request is about: a resource, by its id, and an operation on it. */
interface Asked {
  readonly id: string;
  readonly type: string;
  /** In lower case; empty for the resource itself. */
  readonly operation: string;
}

/** Listing and regenerating keys, and reading the resources that have them. */
export function serveKeys(app: Hono<ArmEnv>, state: AzureState): void {
  const operations = new Map<string, { polls: number; readonly result: object | undefined }>();
  app.get("/subscriptions/:subscription/providers/local.keys/operations/:kind/:id", (context) => {
    const { kind, id } = context.req.param();
    const operation = operations.get(id);
    if (!operation) throw new Refusal(404, "OperationNotFound", "There is no such operation.");
    operation.polls += 1;
    const isDone = operation.polls > 1;
    if (kind === "status") return context.json({ status: isDone ? "Succeeded" : "InProgress" });
    if (!isDone) return context.body(null, 202, { location: context.req.url, "retry-after": "0" });
    return operation.result ? context.json(operation.result) : context.body(null, 204);
  });
  const accept = (context: Context<ArmEnv>, { longRunning }: KeyApi, result: object | undefined) => {
    const id = randomUUID();
    operations.set(id, { polls: 0, result });
    const { origin } = new URL(context.req.url);
    const base = `${origin}/subscriptions/${state.subscriptionId}/providers/Local.Keys/operations`;
    const location = `${base}/location/${id}?api-version=2020-01-01`;
    const headers = { location, "retry-after": "0" };
    if (longRunning === "location") return context.body(null, 202, headers);
    const status = `${base}/status/${id}?api-version=2020-01-01`;
    return context.body(null, 202, { ...headers, "azure-asyncoperation": status });
  };
  app.get("/subscriptions/:subscription/resourcegroups/:group/providers/*", async (context, next) => {
    const id = `/${segmentsOf(context.req.url).join("/")}`;
    const owned = ownedBy(state, id);
    if (!owned) return await next();
    authorise(state, context, `${typeOf(id.split("/").slice(6).join("/"))}/read`, id);
    return context.json(describe(owned, id));
  });
  app.post("/subscriptions/:subscription/resourcegroups/:group/providers/*", async (context, next) => {
    const asked = parse(segmentsOf(context.req.url));
    if (!asked) return await next();
    const [verb] = asked.operation.split("/");
    authorise(state, context, `${asked.type}/${verb}/action`, asked.id);
    const resource = state.keyedResources.get(asked.id.toLowerCase());
    if (!resource) throw new Refusal(404, "ResourceNotFound", `The Resource '${asked.id}' was not found.`);
    const api = keyApiOf(asked.type);
    requireVersion(context, api);
    if (asked.operation === api.list.toLowerCase()) return context.json(api.show(resource.keys));
    const key = await keyToRegenerate(context, asked, resource);
    regenerate(resource, key, state.clock);
    const result = answerOf(api, resource, key);
    if (api.longRunning) return accept(context, api, result);
    return result ? context.json(result) : context.body(null, 204);
  });
}

/** The longest known type in the path; what follows its name is the operation. */
function parse(segments: readonly string[]): Asked | undefined {
  const steps = segments.slice(5);
  const found = keyedTypes
    .map((type) => ({ type, length: type.split("/").length * 2 - 1 }))
    .toSorted((one, other) => other.length - one.length)
    .find(
      ({ type, length }) =>
        steps.length > length &&
        typeOf(steps.slice(0, length).join("/")).toLowerCase() === type.toLowerCase(),
    );
  return (
    found && {
      id: `/${segments.slice(0, 5 + found.length).join("/")}`,
      type: found.type,
      operation: steps.slice(found.length).join("/").toLowerCase(),
    }
  );
}

async function keyToRegenerate(
  context: Context<ArmEnv>,
  { operation }: Asked,
  resource: KeyedResourceState,
): Promise<KeyState> {
  const text = await context.req.text();
  const body = Body.parse(text === "" ? {} : JSON.parse(text));
  const name = keyApiOf(resource.type).regenerates({ operation, body }, resource.keys);
  const key = resource.keys.find((one) => one.name === name);
  if (key) return key;
  throw new Refusal(400, "InvalidRequestContent", "The request names no key that could be regenerated.");
}

function answerOf(api: KeyApi, resource: KeyedResourceState, key: KeyState): object | undefined {
  if (api.answer === "none") return undefined;
  return api.answer === "one" ? { id: key.id, name: key.name, value: key.value } : api.show(resource.keys);
}

function requireVersion(context: Context<ArmEnv>, { apiVersion }: KeyApi): void {
  if (context.req.query("api-version") === apiVersion) return;
  throw new Refusal(400, "InvalidApiVersionParameter", `The supported api-version is '${apiVersion}'.`);
}

/** The resource itself, or one of the rules below it: namespaces exist because they have rules. */
function ownedBy(state: AzureState, id: string): KeyedResourceState | undefined {
  const all = [...state.keyedResources.values()];
  return all.find((one) => `${one.id}/`.toLowerCase().startsWith(`${id}/`.toLowerCase()));
}

/** As the providers describe them, as far as anybody looks. */
function describe({ endpoint, kind, services }: KeyedResourceState, id: string): object {
  const primaryEndpoints = Object.fromEntries(services.map((service) => [service, `${endpoint}/`]));
  return {
    id,
    name: id.split("/").at(-1),
    kind,
    properties: {
      primaryEndpoints,
      serviceBusEndpoint: `${endpoint}/`,
      documentEndpoint: `${endpoint}/`,
      endpoint: `${endpoint}/`,
    },
  };
}
