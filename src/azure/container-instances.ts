import type { ContainerGroup, ContainerInstanceManagementClient } from "@azure/arm-containerinstance";
import { isRestError } from "@azure/core-rest-pipeline";
import type { Millis, Timestamp } from "../clock.ts";
import { Fault } from "../errors.ts";
import { attribute } from "../telemetry/names.ts";
import { inSpan } from "../telemetry/span.ts";
import { type ContainerClientOptions, createContainerClient } from "./container-client.ts";
import { translateError } from "./translate-error.ts";

/** Resource id of a container group; compared without regard to case. */
export type GroupId = string;

/** States are Azure's words and an open set: `Running`, `Waiting`, `Terminated`, and whatever comes next. */
export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly state: string | undefined;
  readonly startedAt?: Timestamp;
  /** Of the run before, which has ended: where a crash loop waits, the one it tells of. */
  readonly startedBefore?: Timestamp;
  readonly restartCount: number;
}

export interface ContainerGroupView {
  readonly id: GroupId;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Of the last operation, restarts included: `Pending`, `Creating`, `Succeeded`, `Failed`, ... */
  readonly provisioningState: string | undefined;
  /** `instanceView.state`: `Pending`, `Running`, `Stopped`, `Succeeded`, `Failed`. */
  readonly state: string | undefined;
  readonly containers: readonly ContainerView[];
}

/** Container groups of any subscription the identity may read. Every method throws a `Fault`. */
export interface ContainerGroups {
  /** `undefined` if there is no such group (404). */
  get(id: GroupId, signal?: AbortSignal): Promise<ContainerGroupView | undefined>;
  /** All groups in a resource group or subscription, without instance view (Azure leaves it out of lists). */
  list(scope: string, signal?: AbortSignal): AsyncIterable<Pick<ContainerGroupView, "id" | "name" | "tags">>;
  /**
   * Resolves when Azure has accepted and finished the operation, which does not mean that containers are back. Sent
   * once: after a retriable fault it may have happened, so observe the group before sending it again. A group that is
   * stopped or busy with another operation answers with a retriable fault, too; it is never started.
   * @throws Fault `restart-failed` if Azure accepted the operation and then gave up
   */
  restart(id: GroupId, signal?: AbortSignal): Promise<void>;
}

export interface ContainerGroupsOptions extends ContainerClientOptions {
  /** How often an accepted restart is asked after; a `Retry-After` of the answer wins. Default 500 ms. */
  readonly pollEvery?: Millis;
}

/** Longest one try of a call may last; the SDK has no limit of its own. */
const patience: Millis = 20_000;
/** Azure gives an operation half an hour; containers that start late are found by observing, not by waiting here. */
const restartPatience: Millis = 5 * 60_000;

type Client = ContainerInstanceManagementClient;

/** Container groups through the SDK: one client per subscription, made when it is first needed. */
export function createContainerGroups(options: ContainerGroupsOptions): ContainerGroups {
  const clients = new Map<string, Client>();
  const groupsOf = (subscription: string): Client["containerGroups"] => {
    const client = clients.get(subscription) ?? createContainerClient(subscription, options);
    clients.set(subscription, client);
    return client.containerGroups;
  };
  return {
    get: (id, signal) =>
      call({ operation: "get", verb: "read", id, signal }, async () => {
        const { subscription, resourceGroup, name } = parseGroupId(id);
        const groups = groupsOf(subscription);
        const found = await unlessMissing(groups.get(resourceGroup, name, perTry(signal)));
        return found && toView(found);
      }),
    async *list(scope, signal) {
      const { subscription, resourceGroup } = parseScope(scope);
      const groups = groupsOf(subscription);
      const each = perTry(signal);
      const all = resourceGroup ? groups.listByResourceGroup(resourceGroup, each) : groups.list(each);
      const pages = all.byPage();
      for (;;) {
        const page = await call({ operation: "list", verb: "list", id: scope, signal }, () => pages.next());
        if (page.done) return;
        yield* page.value.map(toListing);
      }
    },
    restart: (id, signal) =>
      call({ operation: "restart", verb: "restart", id, signal }, async () => {
        const { subscription, resourceGroup, name } = parseGroupId(id);
        const limit = AbortSignal.timeout(restartPatience);
        const each = perTry(signal ? AbortSignal.any([signal, limit]) : limit);
        const updateIntervalInMs = options.pollEvery ?? 500;
        try {
          const begun = await groupsOf(subscription).beginRestart(resourceGroup, name, {
            ...each,
            updateIntervalInMs,
          });
          await begun.pollUntilDone(each);
        } catch (error) {
          throw restartFault(error, id);
        }
      }),
  };
}

interface Call {
  readonly operation: string;
  readonly verb: string;
  readonly id: string;
  readonly signal: AbortSignal | undefined;
}

/** One span and one translation of errors for each operation. */
function call<T>({ operation, verb, id, signal }: Call, work: () => Promise<T>): Promise<T> {
  return inSpan(`ContainerGroups.${operation}`, { [attribute.group]: id }, async () => {
    try {
      return await work();
    } catch (error) {
      const fault = translateError(error, `${verb} ${id}`);
      // The SDK reports its own time limit as an abort, too.
      if (fault.code !== "cancelled" || signal?.aborted) throw fault;
      throw new Fault("unavailable", `could not ${verb} ${id}: no answer in time`);
    }
  });
}

function perTry(abortSignal: AbortSignal | undefined) {
  return { abortSignal, requestOptions: { timeout: patience } };
}

/**
 * 409 means that another operation is at work or that the group is stopped, which the next run tells apart.
 * Azure does not document the status for a stopped group, hence 400 too. In answer to a poll, both mean that the
 * operation has failed; with a status document the poller throws a plain Error, with Azure's text in it.
 */
function restartFault(error: unknown, id: string): unknown {
  const isPlain = error instanceof Error && error.message.startsWith("The long-running operation has failed");
  const isNo = isRestError(error) && [400, 409].includes(error.statusCode ?? 0);
  if (isPlain || (isNo && error.request?.method === "GET")) {
    return new Fault("restart-failed", `Azure accepted the restart of ${id} and then gave up`);
  }
  if (!isNo) return error;
  const { cause, retryAfter } = translateError(error, `restart ${id}`);
  const text = `${id} cannot be restarted now: it is stopped, or another operation is at work`;
  return new Fault("unavailable", text, { cause, ...(retryAfter === undefined ? {} : { retryAfter }) });
}

/** Only Resource Manager's own words count: a 404 of something in between must not pass for a deleted group. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const gone = isRestError(error) && error.statusCode === 404;
    if (gone && ["ResourceNotFound", "ResourceGroupNotFound"].includes(error.code ?? "")) return undefined;
    throw error;
  }
}

function toView(group: ContainerGroup): ContainerGroupView {
  return {
    ...toListing(group),
    provisioningState: group.provisioningState,
    state: group.instanceView?.state,
    containers: group.containers.map(({ name, image, instanceView }) => {
      const { state, startTime } = instanceView?.currentState ?? {};
      const before = instanceView?.previousState?.startTime;
      return {
        name,
        image,
        state,
        ...(startTime && { startedAt: startTime.getTime() }),
        ...(before && { startedBefore: before.getTime() }),
        restartCount: instanceView?.restartCount ?? 0,
      };
    }),
  };
}

function toListing({ id, name, tags }: ContainerGroup): Pick<ContainerGroupView, "id" | "name" | "tags"> {
  if (!id || !name) throw new Fault("unexpected-response", "Azure sent a container group without id or name");
  return { id, name, tags: { ...tags } };
}

// Strict on purpose: the parts become part of a request path, so nothing that a URL would resolve or decode passes.
const scopeFormat = String.raw`/subscriptions/([\w-]+)(?:/resourceGroups/([-\p{L}\p{N}_.()]*[-\p{L}\p{N}_()]))`;
const groupFormat = new RegExp(
  String.raw`^${scopeFormat}/providers/Microsoft\.ContainerInstance/containerGroups/([\w-]+)$`,
  "iu",
);

function parseGroupId(id: GroupId): { subscription: string; resourceGroup: string; name: string } {
  const [, subscription, resourceGroup, name] = groupFormat.exec(id) ?? [];
  if (subscription && resourceGroup && name)
    return { subscription: subscription.toLowerCase(), resourceGroup, name };
  throw new Fault("invalid-config", `${id} is not the id of a container group`);
}

function parseScope(scope: string): { subscription: string; resourceGroup: string | undefined } {
  const [, subscription, resourceGroup] = new RegExp(`^${scopeFormat}?$`, "iu").exec(scope) ?? [];
  if (subscription) return { subscription: subscription.toLowerCase(), resourceGroup };
  throw new Fault("invalid-config", `${scope} is neither a subscription nor a resource group`);
}
