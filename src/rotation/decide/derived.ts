import { type Action, type SecretRules, stop } from "../model/action.ts";
import type { DerivedFacts, Observation } from "../model/observation.ts";
import { behind } from "../model/predicates.ts";

/** Builds the derived secrets from latest, one write after the other; nothing once all follow it. */
export function rebuild(seen: Observation): Action | undefined {
  if (!seen.derived) return { kind: "observe", what: "derived" };
  const child = behind(seen);
  return child && { kind: "publish-derived", derived: child.key };
}

/** A derived secret that nobody but a person may touch. */
export function oddDerived(
  { derived = [] }: Observation,
  { key }: Pick<SecretRules, "key">,
): Action | undefined {
  const odd = derived.find(({ state }) => state in questions);
  const question = odd && questions[odd.state];
  return question && stop(question.code, question.text(odd.key, key));
}

type Question = {
  readonly code: "cannot-adopt" | "secret-disabled";
  readonly text: (child: string, parent: string) => string;
};

const questions: { readonly [S in DerivedFacts["state"]]?: Question } = {
  foreign: {
    code: "cannot-adopt",
    text: (child, parent) =>
      `the text of ${child} is not what the policy derives from ${parent}, and keyturn did not write it; ` +
      "store the text that follows from the parent, or take it out of the policy",
  },
  disabled: {
    code: "secret-disabled",
    text: (child, parent) =>
      `the latest version of ${child}, which is derived from ${parent}, is disabled; enable it or store a new one`,
  },
  unknown: {
    code: "cannot-adopt",
    text: (child, parent) =>
      `${child} cannot be derived: the text of ${parent} does not fit the policy's template; ` +
      "correct the template or store a value that fits",
  },
};
