import { expect, test } from "vitest";
import type { ContainerGroupView, ContainerView } from "../../src/azure/container-instances.ts";
import { groupFacts, standing } from "../../src/rollout/evidence.ts";
import { nextStep } from "../../src/rollout/strategies.ts";

const publishedAt = 1_000_000;
const publication = { publishedAt, restored: undefined };
const rules = { skew: 5_000, settle: 60_000, deadline: 600_000 };

function container(change: Partial<ContainerView> = {}): ContainerView {
  return {
    name: "app",
    image: "app:1",
    state: "Running",
    startedAt: publishedAt + 10_000,
    restartCount: 0,
    ...change,
  };
}

function group(containers: ContainerView[], state = "Running"): ContainerGroupView {
  return { id: "/g/one", name: "one", tags: {}, provisioningState: "Succeeded", state, containers };
}

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

test("a group that ended with an error on the new value is not confirmed, and its restart has failed", () => {
  const failed = (startedAt: number) =>
    groupFacts("/g/one", group([container({ state: "Terminated", startedAt })], "Failed"));
  const now = publishedAt + 700_000;
  expect(standing(failed(publishedAt + 10_000), publication, rules, now)).toBe("unsettled");
  const view = { facts: failed(publishedAt + 10_000), startedAfter: publishedAt, now, sentAt: publishedAt };
  expect(nextStep({ ...view, since: publishedAt }, rules).kind).toBe("failed");
  // Neither does what had failed long ago hold up the way back to the value it ran on.
  const restored = { from: publishedAt - 100_000, until: publishedAt - 50_000 };
  const wayBack = { publishedAt, restored };
  expect(standing(failed(publishedAt - 80_000), wayBack, rules, now)).toBe("stopped");
});

test("a state that Azure adds tomorrow is not taken for running", () => {
  const facts = groupFacts("/g/one", group([container({ state: "Hibernating" })], "Repairing"));
  expect(standing(facts, publication, rules, publishedAt + 100_000)).toBe("unsettled");
});

test("a restart is sent once, watched, sent again if it got lost, and given up at the deadline", () => {
  const facts = groupFacts("/g/one", group([container({ startedAt: publishedAt - 1 })]));
  const view = { facts, startedAfter: publishedAt, sentAt: undefined, since: undefined };
  const now = publishedAt + 100_000;
  expect(nextStep({ ...view, now }, rules).kind).toBe("restart");
  expect(nextStep({ ...view, now: now + 1_000, sentAt: now, since: now }, rules).kind).toBe("wait");
  expect(nextStep({ ...view, now: now + 15_000, sentAt: now, since: now }, rules).kind).toBe("restart");
  const busy = { ...view, facts: { ...facts, busy: true } };
  expect(nextStep({ ...busy, now: now + 15_000, sentAt: now, since: now }, rules).kind).toBe("wait");
  expect(nextStep({ ...busy, now: now + 60_000, sentAt: now, since: now }, rules).kind).toBe("restart");
  expect(nextStep({ ...view, now: now + 600_000, sentAt: now, since: now }, rules).kind).toBe("failed");
});

test("a group that somebody else restarted in time is left alone", () => {
  const facts = groupFacts("/g/one", group([container()]));
  const view = { facts, startedAfter: publishedAt, sentAt: undefined, since: undefined };
  expect(nextStep({ ...view, now: publishedAt + 20_000 }, rules)).toMatchObject({
    kind: "wait",
    why: "settling",
  });
  expect(nextStep({ ...view, now: publishedAt + 80_000 }, rules).kind).toBe("done");
});
