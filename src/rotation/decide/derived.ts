import { type Action, stop } from "../model/action.ts";
import type { DerivedFacts } from "../model/observation.ts";
import { behind } from "../model/predicates.ts";
import { firstOf, type Situation } from "./chain.ts";
import { derivedObserved } from "./observed.ts";

/** Builds the derived secrets from latest, one write after the other; nothing once all follow it. */
export const rebuildDerived = firstOf([derivedObserved, publishDerived]);

function publishDerived({ seen }: Situation): Action | undefined {
  const next = behind(seen);
  return next && { kind: "publish-derived", derived: next.key };
}

/** A derived secret that nobody but a person may touch. */
export function oddDerived({ seen: { derived = [] }, rules }: Situation): Action | undefined {
  const odd = derived.find(({ state }) => state in questions);
  const question = odd && questions[odd.state];
  return question && stop(question.code, question.text(odd.key, rules.key));
}

type Question = {
  readonly code: "cannot-adopt" | "secret-disabled";
  readonly text: (derived: string, parent: string) => string;
};

const questions: { readonly [S in DerivedFacts["state"]]?: Question } = {
  foreign: {
    code: "cannot-adopt",
    text: (derived, parent) =>
      `the text of ${derived} is not what the policy derives from ${parent}, and keyturn did not write it; ` +
      "store the text that follows from the parent, or take it out of the policy",
  },
  disabled: {
    code: "secret-disabled",
    text: (derived, parent) =>
      `the latest version of ${derived}, which is derived from ${parent}, is disabled; enable it or store a new one`,
  },
  unknown: {
    code: "cannot-adopt",
    text: (derived, parent) =>
      `${derived} cannot be derived: the text of ${parent} does not fit the policy's template; ` +
      "correct the template or store a value that fits",
  },
};
