import type { GroupId } from "../azure/container-instances.ts";
import type { Timestamp } from "../clock.ts";

/** What a container group's instance view says about the value it runs on. */
export interface GroupFacts {
  readonly group: GroupId;
  /**
   * `running`: every container runs. `stopped`: it was stopped or has ended by its own restart policy, and reads at its
   * next start. `failed`: it has ended with an error. `unsettled`: some container waits, starts or crashes. `gone`: there
   * is no such group any more.
   */
  readonly phase: "running" | "stopped" | "failed" | "unsettled" | "gone";
  /** Azure is at work on it. */
  readonly busy?: boolean;
  /** The oldest container start: everything the group runs was read after it. */
  readonly evidenceAt: Timestamp | undefined;
  /** As `evidenceAt`, but where a container waits to be started again, its last run counts: it has read as well. */
  readonly triedAt?: Timestamp | undefined;
  /** The oldest start of those containers that run; the others read when they are started again. */
  readonly heldSince?: Timestamp | undefined;
  /** The newest container start: nothing has restarted since. */
  readonly stableSince: Timestamp | undefined;
}

/** On a roll-back: the time in which the value that is latest again was latest before. */
export interface Restored {
  readonly from: Timestamp;
  readonly until: Timestamp;
}

/** The version that dependents are to run on. */
export interface Publication {
  /** When it was created. */
  readonly publishedAt: Timestamp;
  readonly restored: Restored | undefined;
}

/** `current`: on the latest version, running and settled. */
export type Standing = "current" | "settling" | "unsettled" | "behind" | "stopped" | "gone";
