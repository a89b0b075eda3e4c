import type { SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import type { Publication, Restored } from "../../dependents/group-facts.ts";
import type { DerivedPolicy } from "../../policy/policy.ts";
import type { Credential } from "../../rotators/rotator.ts";
import type { SecretValue } from "../../secret-value.ts";
import { readRecord } from "../record/tags.ts";
import type { ChildFacts, Observation } from "./observation.ts";

/** A version whose value we hold while this look lasts. */
export interface Held {
  /** Without a value where the version is disabled and only its tags are known. */
  readonly stored: SecretVersion & { readonly value?: SecretValue };
  /** `undefined` if the text does not fit the policy's template. */
  readonly credential: Credential | undefined;
}

/** A derived secret as it stands, held while a look lasts. */
export interface Child {
  readonly policy: DerivedPolicy;
  readonly state: ChildFacts["state"];
  readonly stored: StoredSecret | undefined;
  readonly restored: Restored | undefined;
}

/** The facts, which decide, and the values, which only `act` touches. */
export interface Observed {
  readonly facts: Observation;
  readonly latest: Held | undefined;
  readonly pending: Held | undefined;
  readonly replaced: Held | undefined;
  readonly overtaken?: Held | undefined;
  /** As far as they were looked at. */
  readonly children: readonly Child[];
}

/** The derived secrets that follow from latest: whoever reads them is to run on what they hold. */
export function published({ children }: Pick<Observed, "children">): PublishedChild[] {
  return children.flatMap(({ policy, state, stored, restored }) => {
    if (state !== "current" || !stored) return [];
    const publication = { publishedAt: stored.createdAt, restored };
    return [{ policy, publication, recorded: readRecord(stored.tags).dependents }];
  });
}

export interface PublishedChild {
  readonly policy: DerivedPolicy;
  readonly publication: Publication;
  /** What was written down of its dependents. */
  readonly recorded: string | undefined;
}
