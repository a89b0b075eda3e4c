import type { GroupId } from "../azure/container-instances.ts";
import type { Timestamp } from "../clock.ts";
import type { GroupFacts, Publication } from "../dependents/group-facts.ts";

/** A group that should run on the latest version of a secret. */
export interface Need extends Publication {
  readonly group: GroupId;
  /** `vault/name` */
  readonly secret: string;
  readonly rotation: string | undefined;
  readonly gate: boolean;
  /** The old value is leaked or refused already: nothing is waited for, and groups are restarted together. */
  readonly urgent: boolean;
  readonly after: readonly GroupId[];
}

/** Everything the one roller decides on. */
export interface Fleet {
  readonly now: Timestamp;
  readonly needs: readonly Need[];
  /** By group id in lower case. */
  readonly groups: ReadonlyMap<string, GroupFacts>;
}
