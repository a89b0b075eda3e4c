import type { GroupId } from "../azure/container-instances.ts";
import type { Timestamp } from "../clock.ts";

/** What a container group's instance view says about the value it runs on. */
export interface GroupFacts {
  readonly group: GroupId;
  /**
   * `running`: every container runs. `stopped`: it was stopped or has ended by its own restart policy, and reads at its
   * next start. `unsettled`: some container waits, starts or crashes. `gone`: there is no such group any more.
   */
  readonly phase: "running" | "stopped" | "unsettled" | "gone";
  /** The oldest container start: everything the group runs was read after it. */
  readonly evidenceAt: Timestamp | undefined;
  /** The newest container start: nothing has restarted since. */
  readonly stableSince: Timestamp | undefined;
}

/** A group that should run on the latest version of a secret. */
export interface Need {
  readonly group: GroupId;
  /** `vault/name` */
  readonly secret: string;
  readonly rotation: string | undefined;
  /** When the latest version was created. */
  readonly publishedAt: Timestamp;
  readonly gate: boolean;
  readonly after: readonly GroupId[];
}

/** Everything the one roller decides on. */
export interface Fleet {
  readonly now: Timestamp;
  readonly needs: readonly Need[];
  /** By group id in lower case. */
  readonly groups: ReadonlyMap<string, GroupFacts>;
}

/** `current`: on the latest version, running and settled. */
export type Standing = "current" | "settling" | "unsettled" | "behind" | "stopped" | "gone";
