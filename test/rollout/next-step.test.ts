import { describe, expect, test } from "vitest";
import type { ContainerView } from "../../src/azure/container-instances.ts";
import { groupFacts } from "../../src/dependents/standing.ts";
import { nextStep, type RestartView } from "../../src/rollout/next-step.ts";
import { container, group, publishedAt } from "./views.ts";

const rules = { settle: 60_000, deadline: 600_000 };
const now = publishedAt + 100_000;
const [old, fresh] = [publishedAt - 1, publishedAt + 10_000];

function view(containers: ContainerView[], change: Partial<RestartView> = {}): RestartView {
  const facts = groupFacts("/g/one", group(containers));
  return { facts, startedAfter: publishedAt, now, sentAt: undefined, since: undefined, ...change };
}

function step(containers: ContainerView[], change: Partial<RestartView> = {}): string {
  return nextStep(view(containers, change), rules).kind;
}

function waiting(startedBefore?: number): ContainerView {
  const before = startedBefore === undefined ? {} : { startedBefore };
  return { name: "app", image: "app:1", state: "Waiting", restartCount: 3, ...before };
}

/** When a restart is sent while this stays as it is, from the first look on, until the job gives up. */
function sendsUntilFailed(containers: ContainerView[]): { sent: number[]; failedAfter: number } {
  const sent: number[] = [];
  for (let at = now; ; at += 1_000) {
    const next = nextStep(view(containers, { now: at, since: now, sentAt: sent.at(-1) }), rules);
    if (next.kind === "failed") return { sent: sent.map((time) => time - now), failedAfter: at - now };
    if (next.kind === "restart") sent.push(at);
  }
}

test("a restart is sent once and watched", () => {
  expect(step([container({ startedAt: old })])).toBe("restart");
  expect(step([container({ startedAt: old })], { now: now + 1_000, sentAt: now, since: now })).toBe("wait");
});

test("a restart that got lost is sent again, less and less often, and given up at the deadline", () => {
  const { sent, failedAfter } = sendsUntilFailed([container({ startedAt: old })]);
  expect(sent).toEqual([0, 15_000, 30_000, 60_000, 120_000, 240_000, 480_000]);
  expect(failedAfter).toBe(600_000);
});

test("while Azure is at work on a group, a restart is not sent again so soon", () => {
  const seen = view([container({ startedAt: old })], { sentAt: now, since: now });
  const busy = { ...seen, facts: { ...seen.facts, busy: true } };
  expect(nextStep({ ...busy, now: now + 15_000 }, rules).kind).toBe("wait");
  expect(nextStep({ ...busy, now: now + 60_000 }, rules).kind).toBe("restart");
});

test("a group that somebody else restarted in time is left alone", () => {
  const at = (time: number) => nextStep(view([container()], { now: publishedAt + time }), rules);
  expect(at(20_000)).toMatchObject({ kind: "wait", why: "settling" });
  expect(at(80_000).kind).toBe("done");
});

test("nothing is restarted before the restart would count", () => {
  const early = view([container({ startedAt: old })], { now: publishedAt });
  expect(nextStep(early, rules)).toMatchObject({ kind: "wait", until: publishedAt + 1 });
});

describe("a group that crashes", () => {
  test("is not restarted if it has crashed on the new value: Azure starts it again", () => {
    expect(sendsUntilFailed([waiting(fresh)])).toEqual({ sent: [], failedAfter: 600_000 });
  });

  test("is restarted once if it has only crashed on the old value, or never started", () => {
    for (const crashing of [waiting(old), waiting()])
      expect(sendsUntilFailed([crashing])).toEqual({ sent: [0], failedAfter: 600_000 });
  });

  test("is restarted again as long as one of its containers still runs on the old value", () => {
    const lost = sendsUntilFailed([waiting(fresh), container({ startedAt: old })]);
    expect(lost.sent.slice(0, 3)).toEqual([0, 15_000, 30_000]);
    expect(lost.failedAfter).toBe(600_000);
  });

  test("is given all of the deadline after its restart, so that the next job's restart comes no sooner", () => {
    const late = { since: now, sentAt: now + 500_000 };
    expect(step([waiting()], { ...late, now: now + 1_099_999 })).toBe("wait");
    expect(step([waiting()], { ...late, now: now + 1_100_000 })).toBe("failed");
  });
});

test("a group that ended with an error on the new value has failed at the deadline, without another restart", () => {
  const ended = container({ state: "Terminated", startedAt: fresh });
  const facts = groupFacts("/g/one", group([ended], "Failed"));
  const seen = view([], { facts, since: now, sentAt: now });
  expect(nextStep({ ...seen, now: now + 100_000 }, rules).kind).toBe("wait");
  expect(nextStep({ ...seen, now: now + 600_000 }, rules).kind).toBe("failed");
});
