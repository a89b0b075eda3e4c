import { readRecord } from "../../src/rotation/record.ts";
import { hour } from "./ground.ts";
import { isAccepted, latest } from "./monitor.ts";
import type { Trouble } from "./process.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

/** One row of the matrix: a rotator on a kind of target, with or without groups that read the secret. */
export interface Row {
  readonly scenario: Scenario;
  readonly dependents: readonly string[];
  /** One of the groups does not come up on the new value: the rotation is taken back. */
  readonly takenBack: boolean;
}

/** One rotation in one world, with what happens to it on the way. */
export interface Case extends Row {
  readonly troubles: readonly Trouble[];
}

export interface Verdict {
  /** What was broken on the way, and what is wrong at the end. Empty: converged. */
  readonly wrong: readonly string[];
  /** Labels of all calls, in order. */
  readonly calls: readonly string[];
  readonly processes: number;
}

/** Virtual milliseconds of each call: long enough for writes to fall into different seconds now and then. */
const latency = 150;
/** A rotation takes little more than its overlap; retries with back-off may add some. */
const limit = 24 * hour;

/** Rotates one due secret through all troubles, and looks at what is left. */
export async function runCase(
  { scenario, dependents, troubles, takenBack }: Case,
  options: WorldOptions = {},
): Promise<Verdict> {
  const allergic = takenBack ? { allergic: dependents.at(-1) ?? "" } : {};
  const world = await createWorld(scenario, { latency, ...options, ...allergic, dependents, troubles });
  try {
    const { ground } = world;
    await ground.store(ground.provider.first, 29);
    await ground.startDependents();
    await world.run(limit);
    const left = takenBack ? afterTakingBack(world) : leftovers(world);
    const wrong = [...world.violations, ...left];
    return { wrong, calls: world.calls, processes: world.workers.length };
  } finally {
    await world.close();
  }
}

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
function afterTakingBack(world: World): string[] {
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
    "a group runs on another value": [...seen.held.values()].every((text) => text === now?.value),
    [`jobs are left: ${open.join(", ")}`]: open.length === 0,
    [`dead letters: ${letters.join("; ")}`]: letters.length === 0,
    "events are left": ground.messages.length === 0,
  };
}

function failing(checks: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(checks).flatMap(([what, isFine]) => (isFine ? [] : [what]));
}

export interface Failure {
  /** To be given to `npm run test:matrix -- replay`. */
  readonly replay: string;
  readonly wrong: readonly string[];
}

export interface MatrixResult {
  /** Calls of a run to which nothing happens. */
  readonly calls: number;
  /** Those of them at which something was tried. */
  readonly points: number;
  readonly runs: number;
  readonly failures: readonly Failure[];
}

/** The first run counts the calls; then one run for each trouble that is planned for them. */
export async function runMatrix(
  row: Row,
  plan: (calls: readonly string[]) => readonly Trouble[],
): Promise<MatrixResult> {
  const failures: Failure[] = [];
  const note = (troubles: readonly Trouble[], { wrong }: Verdict) => {
    if (wrong.length > 0) failures.push({ replay: nameOf({ ...row, troubles }), wrong });
  };
  const first = await runCase({ ...row, troubles: [] });
  note([], first);
  const planned = plan(first.calls);
  for (const trouble of planned) note([trouble], await runCase({ ...row, troubles: [trouble] }));
  const points = new Set(planned.map(({ at }) => at)).size;
  return { calls: first.calls.length, points, runs: 1 + planned.length, failures };
}

/** `postgres-role dual/2/37:lost,90:before!` (`!`: Redis is flushed as well), `random/2 taken back/5:cut`. */
export function nameOf({ scenario, dependents, troubles, takenBack }: Case): string {
  const parts = troubles.map(({ at, position, flush }) => `${at}:${position}${flush ? "!" : ""}`);
  return `${scenario.name}/${dependents.length}${takenBack ? " taken back" : ""}/${parts.join(",")}`;
}

export const groupNames = ["orders-api", "orders-web"] as const;
