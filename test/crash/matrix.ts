import { hour } from "./ground.ts";
import { afterTakingBack, leftovers } from "./leftovers.ts";
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
  /** The stage that each process left behind when it died. */
  readonly left: readonly (string | undefined)[];
  /** Virtual milliseconds for which the provider refused latest, at most. */
  readonly gap: number;
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
  const reader = scenario.derived?.at(-1)?.readers.at(-1) ?? dependents.at(-1) ?? "";
  const allergic = takenBack ? { allergic: reader } : {};
  const world = await createWorld(scenario, { latency, ...options, ...allergic, dependents, troubles });
  try {
    const { ground } = world;
    await ground.begin();
    await world.run(limit);
    if (ground.provider.orphans) await deepSweep(world);
    const left = takenBack ? afterTakingBack(world) : leftovers(world);
    const unknown = world.left.includes(undefined) ? ["a process died in a state that should not be"] : [];
    const wrong = [...world.violations, ...unknown, ...left];
    const { calls, workers, longestGap: gap } = world;
    return { wrong, calls, processes: workers.length, left: world.left, gap };
  } finally {
    await world.close();
  }
}

/** What was left behind is removed when it is an hour old, by the next deep sweep at the latest. */
async function deepSweep(world: World): Promise<void> {
  await world.ground.clock.advance(hour);
  world.redis.add("sweep-vaults", { deep: true });
  await world.run(hour, () => world.redis.jobs.size === 0);
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
  /** How many processes died in each stage. */
  readonly left: Readonly<Record<string, number>>;
}

/** The first run counts the calls; then one run for each trouble that is planned for them. */
export async function runMatrix(
  row: Row,
  plan: (calls: readonly string[]) => readonly Trouble[],
): Promise<MatrixResult> {
  const failures: Failure[] = [];
  const died: Record<string, number> = {};
  const note = (troubles: readonly Trouble[], { wrong, left }: Verdict) => {
    for (const stage of left) if (stage) died[stage] = (died[stage] ?? 0) + 1;
    if (wrong.length > 0) failures.push({ replay: nameOf({ ...row, troubles }), wrong });
  };
  const first = await runCase({ ...row, troubles: [] });
  note([], first);
  const planned = plan(first.calls);
  for (const trouble of planned) note([trouble], await runCase({ ...row, troubles: [trouble] }));
  const points = new Set(planned.map(({ at }) => at)).size;
  return { calls: first.calls.length, points, runs: 1 + planned.length, failures, left: died };
}

/** `postgres-role dual/2/37:lost,90:before!` (`!`: Redis is flushed as well), `random/2 taken back/5:cut`. */
export function nameOf({ scenario, dependents, troubles, takenBack }: Case): string {
  const parts = troubles.map(({ at, position, flush }) => `${at}:${position}${flush ? "!" : ""}`);
  return `${scenario.name}/${dependents.length}${takenBack ? " taken back" : ""}/${parts.join(",")}`;
}

export const groupNames = ["orders-api", "orders-web"] as const;
