import type { Millis, Timestamp } from "../clock.ts";
import type { GroupFacts } from "../dependents/group-facts.ts";
import { standing } from "../dependents/standing.ts";
import type { RolloutPolicy } from "../policy/policy.ts";

/** What the restart of one group looks like at the moment. */
export interface RestartView {
  readonly facts: GroupFacts;
  /** Containers must have started after this. */
  readonly startedAfter: Timestamp;
  readonly now: Timestamp;
  /** Hints kept by the job: when a restart was last sent, and when the job first looked. */
  readonly sentAt: Timestamp | undefined;
  readonly since: Timestamp | undefined;
}

export type RestartStep =
  | { readonly kind: "restart" }
  | { readonly kind: "wait"; readonly until: Timestamp; readonly why: string }
  | { readonly kind: "done"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

/** How often a group is looked at while it restarts. */
const poll: Millis = 2_000;

/** A restart that has not shown by then got lost, and is sent again; later, if Azure is still at work on the group. */
const resendAfter = { idle: 15_000, busy: 60_000 } as const;

/** The strategy `restart`: in place, all containers of the group; evidence is their start time. Pure. */
export function nextStep(view: RestartView, rules: Pick<RolloutPolicy, "settle" | "deadline">): RestartStep {
  const { facts, startedAfter, now } = view;
  const where = standing(
    facts,
    { publishedAt: startedAfter, restored: undefined },
    { skew: 0, settle: rules.settle },
    now,
  );
  if (where === "gone") return { kind: "done", why: "there is no such group any more" };
  if (where === "stopped")
    return { kind: "done", why: "stopped; it reads the new version at its next start" };
  if (where === "current") return { kind: "done", why: "running on the new version" };
  if (now >= begunAt(view) + rules.deadline) return { kind: "failed", why: `still ${where} at the deadline` };
  if (where === "settling") {
    return { kind: "wait", until: (facts.stableSince ?? now) + rules.settle, why: "settling" };
  }
  // What starts before would have to be restarted once more.
  if (now <= startedAfter) return { kind: "wait", until: startedAfter + 1, why: "the skew has not passed" };
  if (needsRestart(view)) return { kind: "restart" };
  return {
    kind: "wait",
    until: now + poll,
    why: where === "behind" ? "waiting for new containers" : "not all containers run",
  };
}

/** A restart that has been seen to do something is given all of the deadline. */
function begunAt(view: RestartView): Timestamp {
  const since = view.since ?? view.now;
  return holdsOld(view) ? since : Math.max(since, view.sentAt ?? since);
}

/**
 * Once, and again only if it got lost; each time after a longer while. Whatever crashes is left to Azure, which starts
 * it again by itself: another restart would only begin its back-off anew. Also a group whose containers wait and never
 * started: restarting it is what may cure it.
 */
function needsRestart(view: RestartView): boolean {
  const { facts, startedAfter, now, sentAt, since = now } = view;
  if (sentAt === undefined) return facts.triedAt === undefined || facts.triedAt <= startedAfter;
  const pause = Math.max(resendAfter[facts.busy ? "busy" : "idle"], sentAt - since);
  return holdsOld(view) && now >= sentAt + pause;
}

/** Some container runs on what it read before. */
function holdsOld({ facts, startedAfter }: RestartView): boolean {
  return facts.heldSince !== undefined && facts.heldSince <= startedAfter;
}
