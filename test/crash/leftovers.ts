import { readRecord } from "../../src/rotation/record/tags.ts";
import type { DerivedSecret } from "./scenarios/scenario.ts";
import { isAccepted, latest, type Snapshot } from "./snapshot.ts";
import type { World } from "./world.ts";

/**
 * What keeps a world from having converged to exactly one rotation. Workers that were at work on it at the same time
 * may have published its value more than once, and parked another candidate that came too late.
 */
export function leftovers(world: World, raced = false): string[] {
  const seen = world.ground.snapshot();
  const now = latest(seen);
  const before = seen.versions.slice(0, -1);
  const old = raced ? before.filter(({ value }) => value !== now?.value) : before;
  return failing({
    ...atRest(world),
    [`${old.length} rotations instead of one`]: old.length === 1,
    "the provider accepts an old value":
      seen.live === undefined || old.every(({ value }) => !seen.live?.has(value)),
    "an old version is enabled": old.every(({ enabled }) => !enabled),
    "a candidate is left": raced || seen.pending.at(-1)?.enabled !== true,
  });
}

/** What keeps a world from having converged to the value before the rotation that was taken back. */
export function afterTakingBack(world: World): string[] {
  const seen = world.ground.snapshot();
  const now = latest(seen);
  const [first, bad, ...more] = seen.versions;
  return failing({
    ...atRest(world),
    "there was not one rotation and one way back": bad !== undefined && more.length === 1,
    "the value before is not back": now?.value === first?.value,
    "the provider accepts the bad value": seen.live === undefined || !seen.live.has(bad?.value ?? ""),
    "the bad version is enabled": bad?.enabled === false,
    "a candidate is left": seen.pending.at(-1)?.enabled !== true,
  });
}

function atRest({ ground, redis }: World): Record<string, boolean> {
  const seen = ground.snapshot();
  const now = latest(seen);
  const open = [...redis.jobs.values()].map(({ stage }) => stage);
  // A restart that failed is a dead letter on purpose.
  const letters = redis.deadLetters.filter((letter) => !letter.includes(" restart-failed:"));
  return {
    "latest is not closed": now !== undefined && readRecord(now.tags).state === "retired",
    "latest is disabled": now?.enabled === true,
    "the provider refuses latest": isAccepted(seen, now),
    "credentials are left that nobody holds": (ground.provider.orphans?.(now?.value ?? "") ?? 0) === 0,
    "a group runs on another value": [...seen.held.values()].every(({ secret, text }) => {
      const derived = seen.derived.find(({ name }) => name === secret);
      return text === latest(derived ?? seen)?.value;
    }),
    ...Object.assign({}, ...(ground.scenario.derived ?? []).map((derived) => derivedAtRest(seen, derived))),
    [`jobs are left: ${open.join(", ")}`]: open.length === 0,
    [`dead letters: ${letters.join("; ")}`]: letters.length === 0,
    "events are left": ground.messages.length === 0,
  };
}

/** What is derived follows from latest, works, and its older texts are disabled. */
function derivedAtRest(seen: Snapshot, { name, textFrom }: DerivedSecret): Record<string, boolean> {
  const versions = seen.derived.find((one) => one.name === name)?.versions ?? [];
  const [now, parent] = [versions.at(-1), latest(seen)];
  return {
    [`${name} does not follow from latest`]: now?.value === textFrom(parent?.value ?? "", parent?.exp),
    [`${name} is not closed`]: readRecord(now?.tags ?? {}).state === "retired",
    [`an old version of ${name} is enabled`]: versions.every(
      ({ enabled, value }) => enabled === (value === now?.value) || !enabled,
    ),
  };
}

function failing(checks: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(checks).flatMap(([what, isFine]) => (isFine ? [] : [what]));
}
