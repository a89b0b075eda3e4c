import type { Action, SecretRules } from "../model/action.ts";
import type { Observation, ReadableLatest } from "../model/observation.ts";

/** What is decided on: what was observed of a secret whose latest version can be read, and what its policy says. */
export interface Situation {
  readonly seen: Observation;
  readonly latest: ReadableLatest;
  readonly rules: SecretRules;
}

/** One question about a situation: answers with an action, or leaves it to the next link. Pure. */
export type Link = (situation: Situation) => Action | undefined;

/** The link at the end of a chain that has to decide: it always answers. */
export type LastLink = (situation: Situation) => Action;

/** Asks each link in turn; the first that answers wins. */
export function firstOf(links: readonly [...Link[], LastLink]): LastLink;

export function firstOf(links: readonly Link[]): Link;

export function firstOf(links: readonly Link[]): Link {
  return (situation) => {
    for (const link of links) {
      const action = link(situation);
      if (action) return action;
    }
    return undefined;
  };
}

/** Asks the links only where the condition holds. */
export function when(condition: (situation: Situation) => boolean, ...links: readonly Link[]): Link {
  const ask = firstOf(links);
  return (situation) => (condition(situation) ? ask(situation) : undefined);
}
