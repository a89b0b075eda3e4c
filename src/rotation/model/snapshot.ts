import type { SecretVersion, StoredSecret } from "../../azure/key-vault.ts";
import type { Publication, Restored } from "../../dependents/group-facts.ts";
import type { DerivedPolicy } from "../../policy/policy.ts";
import type { Credential } from "../../rotators/rotator.ts";
import type { SecretValue } from "../../secret-value.ts";
import { readRecord } from "../record/tags.ts";
import type { DerivedFacts, Observation } from "./observation.ts";

/** A version whose value we hold while this look lasts. */
export interface ReadVersion {
  /** Without a value where the version is disabled and only its tags are known. */
  readonly stored: SecretVersion & { readonly value?: SecretValue };
  /** `undefined` if the text does not fit the policy's template. */
  readonly credential: Credential | undefined;
}

/** A derived secret as it stands, held while a look lasts. */
export interface DerivedSecret {
  readonly policy: DerivedPolicy;
  readonly state: DerivedFacts["state"];
  readonly stored: StoredSecret | undefined;
  readonly restored: Restored | undefined;
}

/** The facts, which decide, and the values, which only `act` touches. */
export interface Snapshot {
  readonly facts: Observation;
  readonly latest: ReadVersion | undefined;
  readonly pending: ReadVersion | undefined;
  readonly replaced: ReadVersion | undefined;
  readonly overtaken?: ReadVersion | undefined;
  /** As far as they were looked at. */
  readonly derived: readonly DerivedSecret[];
}

/** The derived secrets that follow from latest: whoever reads them is to run on what they hold. */
export function published({ derived }: Pick<Snapshot, "derived">): PublishedDerived[] {
  return derived.flatMap(({ policy, state, stored, restored }) => {
    if (state !== "current" || !stored) return [];
    const publication = { publishedAt: stored.createdAt, restored };
    return [{ policy, publication, recorded: readRecord(stored.tags).dependents }];
  });
}

export interface PublishedDerived {
  readonly policy: DerivedPolicy;
  readonly publication: Publication;
  /** What was written down of its dependents. */
  readonly recorded: string | undefined;
}
