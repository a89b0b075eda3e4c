import { expect, test } from "vitest";
import { groupFacts, standing } from "../../src/dependents/standing.ts";
import { container, group, publishedAt } from "../rollout/views.ts";

const publication = { publishedAt, restored: undefined };
const rules = { skew: 5_000, settle: 60_000 };

test("a group's evidence is its oldest container start, and it is stable since the newest", () => {
  const facts = groupFacts("/g/one", group([container(), container({ startedAt: publishedAt + 70_000 })]));
  expect(facts).toMatchObject({
    phase: "running",
    evidenceAt: publishedAt + 10_000,
    stableSince: publishedAt + 70_000,
  });
  expect(standing(facts, publication, rules, publishedAt + 100_000)).toBe("settling");
  expect(standing(facts, publication, rules, publishedAt + 130_000)).toBe("current");
});

test("one container that has not started since the publish keeps the whole group behind", () => {
  const facts = groupFacts("/g/one", group([container(), container({ startedAt: publishedAt - 1 })]));
  expect(standing(facts, publication, rules, publishedAt + 100_000)).toBe("behind");
});

test("a crash loop is neither on the new value nor finished", () => {
  const facts = groupFacts("/g/one", group([container({ state: "Waiting", startedAt: undefined })]));
  expect(standing(facts, publication, rules, publishedAt + 100_000)).toBe("unsettled");
});

test("a stopped or finished group reads at its next start", () => {
  const ended = container({ state: "Terminated", startedAt: publishedAt - 1 });
  for (const state of ["Stopped", "Succeeded", "Failed"]) {
    expect(standing(groupFacts("/g/one", group([ended], state)), publication, rules, 0)).toBe("stopped");
  }
});

test("a group that ended with an error on the new value is not confirmed", () => {
  const failed = (startedAt: number) =>
    groupFacts("/g/one", group([container({ state: "Terminated", startedAt })], "Failed"));
  const now = publishedAt + 700_000;
  expect(standing(failed(publishedAt + 10_000), publication, rules, now)).toBe("unsettled");
  // Neither does what had failed long ago hold up the way back to the value it ran on.
  const restored = { from: publishedAt - 100_000, until: publishedAt - 50_000 };
  const wayBack = { publishedAt, restored };
  expect(standing(failed(publishedAt - 80_000), wayBack, rules, now)).toBe("stopped");
});

test("a state that Azure adds tomorrow is not taken for running", () => {
  const facts = groupFacts("/g/one", group([container({ state: "Hibernating" })], "Repairing"));
  expect(standing(facts, publication, rules, publishedAt + 100_000)).toBe("unsettled");
});
