import { describe, expect, test } from "vitest";
import { nextAction } from "../../../src/rotation/decide/next-action.ts";
import {
  candidateAnswered,
  dependentsObserved,
  derivedObserved,
  latestAnswered,
  providerObserved,
  replacedAnswered,
} from "../../../src/rotation/decide/observed.ts";
import { confirmed, dual, intent, latest, seen, works } from "./facts.ts";

describe("before the publish", () => {
  test("a provider that cannot be asked is asked again later", () => {
    const unknown = seen({
      latest: latest({ record: { intent } }),
      provider: { ...works, latest: "unknown" },
    });
    expect(nextAction(unknown, dual)).toMatchObject({ kind: "wait", reason: "provider" });
  });
});

test.each([
  ["the provider", providerObserved, "provider", { provider: works }],
  ["what is derived", derivedObserved, "derived", { derived: [] }],
  ["who reads it", dependentsObserved, "dependents", { dependents: confirmed }],
] as const)("%s is observed once, when it is needed", (_what, link, what, change) => {
  const unseen = { provider: undefined, derived: undefined, dependents: undefined };
  const situation = { seen: seen(unseen), latest: latest(), rules: dual };
  expect(link(situation)).toEqual({ kind: "observe", what });
  expect(link({ ...situation, seen: seen({ ...unseen, ...change }) })).toBeUndefined();
});

test.each([
  ["latest", latestAnswered, "latest"],
  ["the candidate", candidateAnswered, "pending"],
  ["what was replaced", replacedAnswered, "replaced"],
] as const)("a provider that does not know of %s is asked again later", (_what, link, place) => {
  const answer = (acceptance: "accepted" | "rejected" | "unknown") =>
    link({
      seen: seen({ provider: { ...works, replaced: "accepted", [place]: acceptance } }),
      latest: latest(),
      rules: dual,
    });
  expect(answer("unknown")).toMatchObject({ kind: "wait", reason: "provider" });
  expect(answer("accepted")).toBeUndefined();
  expect(answer("rejected")).toBeUndefined();
});
