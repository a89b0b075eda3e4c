import { createRandom, type Random } from "./random.ts";
import {
  type Case,
  type Failure,
  groupNames,
  type MatrixResult,
  type Row,
  nameOf,
  runCase,
  runMatrix,
} from "./matrix.ts";
import { deaths, type Position, type Trouble } from "./process.ts";
import { scenarios } from "./scenarios/index.ts";

export const rows: readonly Row[] = scenarios.flatMap((scenario) => [
  { scenario, dependents: [], takenBack: false },
  { scenario, dependents: groupNames, takenBack: false },
  // Where the provider makes the value of a single credential, there is no way back.
  ...(scenario.overlap === "single" && scenario.origin === "minted"
    ? []
    : [{ scenario, dependents: groupNames, takenBack: true }]),
]);

export function rowName({ scenario, dependents, takenBack }: Row): string {
  return `${scenario.name} with ${dependents.length} dependents${takenBack ? ", taken back" : ""}`;
}

/** Calls that change something; before and after all others the world is the same. */
export function changesSomething(label: string): boolean {
  return !/^GET |^queue progress|\.(accepts|roles)$|listKeys$|token$/.test(label);
}

/**
 * While a group does not come up, keyturn looks at it again and again: of calls that repeat themselves, some of the first
 * and some of the last are enough.
 */
function thinned(calls: readonly string[], each: number): Set<number> {
  const byLabel = Map.groupBy(calls.keys(), (at) => calls[at]);
  return new Set([...byLabel.values()].flatMap((all) => [...all.slice(0, each), ...all.slice(-each)]));
}

/** Every call in every way to die; then with Redis flushed as well; then with the answer lost to a process that lives. */
export async function fullMatrix(row: Row): Promise<MatrixResult> {
  const points = row.takenBack ? 4 : Number.POSITIVE_INFINITY;
  const choose = (calls: readonly string[]) => thinned(calls, points);
  const parts = [
    await runMatrix(row, { choose }),
    await runMatrix(row, { choose, positions: ["before", "lost"], flush: true }),
    await runMatrix(row, { choose, positions: ["cut"] }),
  ];
  return {
    points: parts[0]?.points ?? 0,
    runs: parts.reduce((sum, { runs }) => sum + runs, 0),
    failures: parts.flatMap(({ failures }) => failures),
  };
}

/** The share of the matrix that every `npm test` runs: calls that change something, where the two ways to die differ. */
export function quickMatrix(row: Row): Promise<MatrixResult> {
  const points = row.takenBack ? 1 : 6;
  const choose = (calls: readonly string[]) =>
    new Set([...thinned(calls, points)].filter((at) => changesSomething(calls[at] ?? "")));
  return runMatrix(row, { choose, positions: ["before", "lost"] });
}

/** A crash, and another one while the next process picks up the pieces; now and then a third, or a flushed Redis. */
export async function randomCrashes(
  seed: number,
  count: number,
  among = rows,
): Promise<{ runs: number; failures: Failure[] }> {
  const random = createRandom(seed);
  const lengths = new Map<Row, number>();
  const failures: Failure[] = [];
  for (let run = 0; run < count; run += 1) {
    const row = random.pick(among);
    const length = lengths.get(row) ?? (await runCase({ ...row, troubles: [] })).calls.length;
    lengths.set(row, length);
    const one: Case = { ...row, troubles: randomTroubles(random, length) };
    const { wrong } = await runCase(one);
    if (wrong.length > 0) failures.push({ replay: nameOf(one), wrong });
  }
  return { runs: count, failures };
}

function randomTroubles(random: Random, length: number): Trouble[] {
  const troubles: Trouble[] = [];
  let at = random.below(length);
  const times = random.below(4) === 0 ? 3 : 2;
  for (let time = 0; time < times; time += 1) {
    troubles.push({ at, position: random.pick([...deaths, "cut"]), flush: random.below(5) === 0 });
    // Recovery begins right after; most of what can go wrong with it is near.
    at += 1 + random.below(random.below(2) === 0 ? 12 : 80);
  }
  return troubles;
}

/** The case that a failure named. @throws Error if there is no such case */
export function caseNamed(name: string): Case {
  const list = name.split("/").at(-1) ?? "";
  const row = rows.find((one) => name.startsWith(nameOf({ ...one, troubles: [] })));
  if (!row) throw new Error(`there is no case ${name}`);
  const troubles = list.split(",").flatMap((part): Trouble[] => {
    const [, at, position, flush] = /^(\d+):(before|lost|after|cut)(!?)$/.exec(part) ?? [];
    const known = ([...deaths, "cut"] as const).find((one): one is Position => one === position);
    return known ? [{ at: Number(at), position: known, flush: flush === "!" }] : [];
  });
  return { ...row, troubles };
}
