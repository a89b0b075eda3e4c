import { randomUUID } from "node:crypto";
import type { Context, Hono } from "hono";
import { Refusal } from "../http.ts";
import type { AzureState, GroupState } from "../state.ts";
import type { ArmEnv } from "./arm.ts";

/**
 * How long-running calls are answered. All three occur in Azure and the SDKs follow each:
 * `async-operation` = 202 with a status document; `location` = 202 until it is done; `no-content` = 204 at once, while
 * the work still goes on, so that "answered" does not mean "done".
 */
export type AnswerStyle = "async-operation" | "location" | "no-content";

export interface AnswerOptions {
  /** Read at every call, so that a test can change it. Default `async-operation`. */
  style?: AnswerStyle;
  /** `Retry-After` of 202 answers and polls, in seconds; it overrides the client's own polling interval. */
  retryAfter?: number;
}

interface Operation {
  readonly id: string;
  readonly principalId: string;
  readonly group: GroupState;
  readonly startTime: number;
  endTime: number | undefined;
  failed: boolean;
}

export interface Operations {
  /** Answers a call whose work has begun; `noContent` = what `no-content` means for it. */
  accept(
    context: Context<ArmEnv>,
    group: GroupState,
    done: Promise<void>,
    noContent?: () => Response,
  ): Response;
  /** The header that leads to the operation, for a PUT that answers with its body. */
  track(context: Context<ArmEnv>, group: GroupState, done: Promise<void>): Record<string, string>;
}

/** Keeps operations and serves their status. Only who began one may look at it. */
export function serveOperations(app: Hono<ArmEnv>, state: AzureState, options: AnswerOptions): Operations {
  const operations = new Map<string, Operation>();
  const begin = (context: Context<ArmEnv>, group: GroupState, done: Promise<void>): Operation => {
    const operation: Operation = {
      id: randomUUID(),
      principalId: context.get("claims").oid,
      group,
      startTime: state.clock.now(),
      endTime: undefined,
      failed: false,
    };
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
    ...(style === "location"
      ? { location: operationUrl(context, state, operation, "operationresults") }
      : { "azure-asyncoperation": operationUrl(context, state, operation, "operations") }),
    ...waitHeader(options),
  });

  const base = "/subscriptions/:subscription/providers/microsoft.containerinstance/locations/:location";
  app.get(`${base}/operations/:id`, (context) => {
    const operation = find(context);
    return context.json(statusOf(operation), 200, operation.endTime === undefined ? waitHeader(options) : {});
  });
  app.get(`${base}/operationresults/:id`, (context) => {
    const operation = find(context);
    if (operation.endTime === undefined) {
      return context.body(null, 202, headersOf(context, operation, "location"));
    }
    if (operation.failed) throw new Refusal(409, "OperationFailed", "The operation failed.");
    return context.body(null, 204);
  });

  return {
    accept(context, group, done, noContent = () => context.body(null, 204)) {
      const { style = "async-operation" } = options;
      if (style === "no-content") return noContent();
      return context.body(null, 202, headersOf(context, begin(context, group, done), style));
    },
    track(context, group, done) {
      const { style = "async-operation" } = options;
      if (style !== "async-operation") return {};
      return headersOf(context, begin(context, group, done), style);
    },
  };
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

function operationUrl(
  context: Context<ArmEnv>,
  state: AzureState,
  { id, group }: Operation,
  kind: "operations" | "operationresults",
): string {
  const { origin, searchParams } = new URL(context.req.url);
  const path = `/subscriptions/${state.subscriptionId}/providers/Microsoft.ContainerInstance/locations/${group.location}`;
  return `${origin}${path}/${kind}/${id}?api-version=${searchParams.get("api-version")}`;
}

function waitHeader({ retryAfter }: AnswerOptions): Record<string, string> {
  return retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
}
