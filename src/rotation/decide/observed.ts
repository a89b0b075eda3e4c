import { pause } from "../model/action.ts";
import type { Link } from "./chain.ts";

/** The provider has not been asked yet. */
export const providerObserved: Link = ({ seen }) =>
  seen.provider ? undefined : { kind: "observe", what: "provider" };

/** What is derived from the secret has not been read yet. */
export const derivedObserved: Link = ({ seen }) =>
  seen.derived ? undefined : { kind: "observe", what: "derived" };

/** Who reads the secret, and on which version, has not been read yet. */
export const dependentsObserved: Link = ({ seen }) =>
  seen.dependents ? undefined : { kind: "observe", what: "dependents" };

/** The provider could not say whether it accepts the latest version. */
export const latestAnswered: Link = ({ seen }) =>
  seen.provider?.latest === "unknown" ? pause(seen) : undefined;

/** The provider could not say whether it accepts the candidate. */
export const candidateAnswered: Link = ({ seen }) =>
  seen.provider?.pending === "unknown" ? pause(seen) : undefined;

/** The provider could not say whether it accepts what latest has replaced. */
export const replacedAnswered: Link = ({ seen }) =>
  seen.provider?.replaced === "unknown" ? pause(seen) : undefined;
