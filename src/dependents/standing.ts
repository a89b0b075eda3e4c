import type { ContainerGroupView, ContainerView } from "../azure/container-instances.ts";
import type { Millis, Timestamp } from "../clock.ts";
import type { GroupFacts, Publication, Restored, Standing } from "./group-facts.ts";

const ended = new Map<string | undefined, GroupFacts["phase"]>([
  ["Stopped", "stopped"],
  ["Succeeded", "stopped"],
  ["Failed", "failed"],
]);

/** Reads the facts out of a group's instance view; `undefined` means Azure said there is no such group. */
export function groupFacts(group: string, view: ContainerGroupView | undefined): GroupFacts {
  if (!view) return { group, phase: "gone", evidenceAt: undefined, stableSince: undefined };
  const starts = startsOf(view, ({ startedAt }) => startedAt);
  const tries = startsOf(view, ({ startedAt, startedBefore }) => startedAt ?? startedBefore);
  return {
    group,
    phase: phaseOf(view),
    busy: !["Succeeded", "Failed", undefined].includes(view.provisioningState),
    evidenceAt: starts && Math.min(...starts),
    triedAt: tries && Math.min(...tries),
    heldSince: view.containers
      .flatMap(({ state, startedAt }) => (state === "Running" && startedAt !== undefined ? [startedAt] : []))
      .toSorted((a, b) => a - b)[0],
    stableSince: starts && Math.max(...starts),
  };
}

/** Of all containers, or nothing is known. */
function startsOf(
  { containers }: ContainerGroupView,
  startOf: (container: ContainerView) => Timestamp | undefined,
): Timestamp[] | undefined {
  const starts = containers.map(startOf).filter((at) => at !== undefined);
  return starts.length === containers.length && starts.length > 0 ? starts : undefined;
}

function phaseOf(view: ContainerGroupView): GroupFacts["phase"] {
  const states = view.containers.map(({ state }) => state);
  if (states.length > 0 && states.every((state) => state === "Running")) return "running";
  // A group that has ended keeps its containers Terminated; one that crash-loops shows them Waiting in between.
  return ended.get(view.state) ?? "unsettled";
}

/**
 * Where a group stands with the version published at `publishedAt`. A container that started after that, by at least
 * `skew` (Key Vault's and ACI's clocks differ, and Key Vault keeps whole seconds), has read that version or a later one.
 * So a restart by the platform, by somebody else, or before a crash of ours all count, without any memory.
 */
export function standing(
  facts: GroupFacts,
  { publishedAt, restored }: Publication,
  rules: { readonly skew: Millis; readonly settle: Millis },
  now: Timestamp,
): Standing {
  if (facts.phase === "gone" || facts.phase === "stopped") return facts.phase;
  const isNew = facts.evidenceAt !== undefined && facts.evidenceAt > publishedAt + rules.skew;
  // It came up on the new value and could not live with it; one that had failed before says nothing about it.
  if (facts.phase === "failed") return isNew ? "unsettled" : "stopped";
  if (facts.evidenceAt === undefined || facts.stableSince === undefined) return "unsettled";
  const isOnIt = isNew || readRestored(facts, restored, rules.skew);
  if (!isOnIt) return "behind";
  if (facts.phase !== "running") return "unsettled";
  return now < facts.stableSince + rules.settle ? "settling" : "current";
}

/** Started while the value that is latest again was latest before, by a margin on both sides: nothing to restart for. */
function readRestored(
  { evidenceAt, stableSince }: GroupFacts,
  restored: Restored | undefined,
  skew: Millis,
): boolean {
  if (!restored || evidenceAt === undefined || stableSince === undefined) return false;
  return evidenceAt > restored.from + skew && stableSince < restored.until - skew;
}

/** A group that holds up nothing: on the new value, or reading it at its next start, or not there at all. */
export function isConfirmed(where: Standing): boolean {
  return where === "current" || where === "stopped" || where === "gone";
}
