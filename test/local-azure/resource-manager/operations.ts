import { randomUUID } from "node:crypto";
import type { Context, Hono } from "hono";
import type { Begun } from "../container-instances.ts";
import { Refusal } from "../http.ts";
import type { AzureState, GroupState } from "../state.ts";
import type { ArmEnv } from "./arm.ts";

/**
 * How long-running calls are answered. All three occur in Azure and the SDKs follow each:
 * `async-operation` = 202 with a status document; `location` = 202 until it is done; `no-content` = 204 at once, while
 * the work still goes on, so that "answered" does not mean "done".
 */
type AnswerStyle = "async-operation" | "location" | "no-content";

export interface AnswerOptions {
  /** Read at every call, so that a test can change it. Default: as documented for each call. */
  style?: AnswerStyle;
  /** `Retry-After` of 202 answers and polls, in seconds; it overrides the client's own polling interval. */
  retryAfter?: number;
}

/**
 * What the API definition says of 2023-05-01: a restart has 204 as its only answer, and the Azure CLI takes no other.
 * Source: Azure/azure-rest-api-specs, containerInstance.
 */
const documented = {
  put: "async-operation",
  restart: "no-content",
  start: "async-operation",
  delete: "async-operation",
} as const satisfies Record<string, AnswerStyle>;
type LongRunning = keyof typeof documented;

interface Operation {
  readonly id: string;
  readonly principalId: string;
  readonly group: GroupState;
  readonly startTime: number;
  endTime: number | undefined;
  failed: boolean;
}

export interface Operations {
  /** Answers a call whose work has begun. */
  accept(context: Context<ArmEnv>, action: LongRunning, begun: Begun): Response;
  /** The header that leads to the operation, for a PUT that answers with its body. */
  track(context: Context<ArmEnv>, begun: Begun): Record<string, string>;
}

/** Keeps operations and serves their status. Only who began one may look at it. */
export function serveOperations(app: Hono<ArmEnv>, state: AzureState, options: AnswerOptions): Operations {
  const operations = new Map<string, Operation>();
  const begin = (context: Context<ArmEnv>, { group, done }: Begun): Operation => {
    const operation = newOperation(context, group, state);
    operations.set(operation.id, operation);
    watch(operation, done, state);
    return operation;
  };
  const find = (context: Context<ArmEnv>): Operation => {
    const found = operations.get(context.req.param("id") ?? "");
    if (found?.principalId === context.get("claims").oid) return found;
    throw new Refusal(404, "OperationNotFound", "There is no such operation.");
  };
  const headersOf = (context: Context<ArmEnv>, operation: Operation, style: AnswerStyle) => ({
    ...addressOf(context, state, operation, style),
    ...waitHeader(options),
  });

  const base = "/subscriptions/:subscription/providers/microsoft.containerinstance/locations/:location";
  app.get(`${base}/operations/:id`, (context) => {
    const operation = find(context);
    return context.json(statusOf(operation), 200, operation.endTime === undefined ? waitHeader(options) : {});
  });
  app.get(`${base}/operationresults/:id`, (context) => {
    const operation = find(context);
    if (operation.failed) throw new Refusal(409, "OperationFailed", "The operation failed.");
    if (operation.endTime !== undefined) return context.body(null, 204);
    return context.body(null, 202, headersOf(context, operation, "location"));
  });

  return {
    accept(context, action, begun) {
      const style = options.style ?? documented[action];
      if (style === "no-content") return context.body(null, 204);
      return context.body(null, 202, headersOf(context, begin(context, begun), style));
    },
    track(context, begun) {
      const style = options.style ?? documented.put;
      return style === "async-operation" ? headersOf(context, begin(context, begun), style) : {};
    },
  };
}

function newOperation(context: Context<ArmEnv>, group: GroupState, state: AzureState): Operation {
  const { oid: principalId } = context.get("claims");
  const startTime = state.clock.now();
  return { id: randomUUID(), principalId, group, startTime, endTime: undefined, failed: false };
}

function watch(operation: Operation, done: Promise<void>, state: AzureState): void {
  const end = (failed: boolean) => {
    operation.endTime = state.clock.now();
    operation.failed = failed;
  };
  done.then(
    () => end(operation.group.provisioningState === "Failed"),
    () => end(true),
  );
}

function statusOf({ id, startTime, endTime, failed }: Operation): object {
  const began = { id, name: id, startTime: new Date(startTime).toISOString() };
  if (endTime === undefined) return { ...began, status: "InProgress" };
  const ended = { ...began, endTime: new Date(endTime).toISOString() };
  if (!failed) return { ...ended, status: "Succeeded" };
  return { ...ended, status: "Failed", error: { code: "OperationFailed", message: "The operation failed." } };
}

function addressOf(
  context: Context<ArmEnv>,
  state: AzureState,
  { id, group }: Operation,
  style: AnswerStyle,
): Record<string, string> {
  const { origin, searchParams } = new URL(context.req.url);
  const base = `${origin}/subscriptions/${state.subscriptionId}/providers/Microsoft.ContainerInstance`;
  const url = (kind: string) =>
    `${base}/locations/${group.location}/${kind}/${id}?api-version=${searchParams.get("api-version")}`;
  return style === "location"
    ? { location: url("operationresults") }
    : { "azure-asyncoperation": url("operations") };
}

function waitHeader({ retryAfter }: AnswerOptions): Record<string, string> {
  return retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
}
