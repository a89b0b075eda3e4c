import { readRecord } from "../../src/rotation/record.ts";
import { hour } from "./ground.ts";
import { isAccepted, latest } from "./monitor.ts";
import { deaths, type Position, type Trouble } from "./process.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

/** One rotation in one world, with what happens to it on the way. */
export interface Case {
  readonly scenario: Scenario;
  readonly dependents: readonly string[];
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
  { scenario, dependents, troubles }: Case,
  options: WorldOptions = {},
): Promise<Verdict> {
  const world = await createWorld(scenario, { latency, ...options, dependents, troubles });
  try {
    const { ground } = world;
    await ground.store(ground.provider.first, 29);
    await ground.startDependents();
    await world.run(limit);
    const wrong = [...world.violations, ...leftovers(world)];
    return { wrong, calls: world.calls, processes: world.workers.length };
  } finally {
    await world.close();
  }
}

/** What keeps a world from having converged to exactly one rotation. */
export function leftovers({ ground, redis }: World, rotations = 1): string[] {
  const seen = ground.snapshot();
  const now = latest(seen);
  const old = seen.versions.slice(0, -1);
  const texts = new Set(old.map(({ value }) => value));
  const open = [...redis.jobs.values()].map(({ stage }) => stage);
  const checks: Record<string, boolean> = {
    [`${old.length} rotations instead of ${rotations}`]: old.length === rotations,
    "latest is not closed": now !== undefined && readRecord(now.tags).state === "retired",
    "latest is disabled": now?.enabled === true,
    "the provider refuses latest": isAccepted(seen, now),
    "the provider accepts an old value":
      seen.live === undefined || [...texts].every((text) => !seen.live?.has(text)),
    "an old version is enabled": old.every(({ enabled }) => !enabled),
    "a candidate is left": seen.pending.at(-1)?.enabled !== true,
    "a group runs on another value": [...seen.held.values()].every((text) => text === now?.value),
    [`jobs are left: ${open.join(", ")}`]: open.length === 0,
    [`dead letters: ${redis.deadLetters.join("; ")}`]: redis.deadLetters.length === 0,
    "events are left": ground.messages.length === 0,
  };
  return Object.entries(checks).flatMap(([what, isFine]) => (isFine ? [] : [what]));
}

export interface Failure {
  /** To be given to `npm run test:matrix -- replay`. */
  readonly replay: string;
  readonly wrong: readonly string[];
}

export interface MatrixResult {
  readonly points: number;
  readonly runs: number;
  readonly failures: readonly Failure[];
}

export interface MatrixOptions {
  readonly positions?: readonly Position[];
  readonly flush?: boolean;
  /** Which of the calls to try; all by default. */
  readonly choose?: (label: string, at: number) => boolean;
}

/** Run 1 counts the calls; then one run for each call and position. */
export async function runMatrix(
  scenario: Scenario,
  dependents: readonly string[],
  { positions = deaths, flush = false, choose = () => true }: MatrixOptions = {},
): Promise<MatrixResult> {
  const first = await runCase({ scenario, dependents, troubles: [] });
  const failures: Failure[] = [];
  const note = (troubles: readonly Trouble[], { wrong }: Verdict) => {
    if (wrong.length > 0) failures.push({ replay: nameOf({ scenario, dependents, troubles }), wrong });
  };
  note([], first);
  const points = first.calls.flatMap((label, at) => (choose(label, at) ? [at] : []));
  let runs = 1;
  for (const at of points) {
    for (const position of positions) {
      const troubles = [{ at, position, flush }];
      note(troubles, await runCase({ scenario, dependents, troubles }));
      runs += 1;
    }
  }
  return { points: points.length, runs, failures };
}

/** `postgres-role dual/2/37:lost,90:before!` (`!`: Redis is flushed as well). */
export function nameOf({ scenario, dependents, troubles }: Case): string {
  const parts = troubles.map(({ at, position, flush }) => `${at}:${position}${flush ? "!" : ""}`);
  return `${scenario.name}/${dependents.length}/${parts.join(",")}`;
}

export const groupNames = ["orders-api", "orders-web"] as const;
