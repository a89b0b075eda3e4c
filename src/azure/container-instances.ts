import type { Timestamp } from "../clock.ts";

/** Resource id of a container group; compared without regard to case. */
export type GroupId = string;

/** States are Azure's words and an open set: `Running`, `Waiting`, `Terminated`, and whatever comes next. */
export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly state: string | undefined;
  readonly startedAt?: Timestamp;
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
  /** Resolves when Azure has accepted and finished the operation, which does not mean that containers are back. */
  restart(id: GroupId, signal?: AbortSignal): Promise<void>;
}
