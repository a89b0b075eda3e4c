import { createRandom, type Random } from "./random.ts";
import { type Case, type Failure, groupNames, type Row, nameOf, runCase } from "./matrix.ts";
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
