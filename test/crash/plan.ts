import type { Row } from "./matrix.ts";
import { deaths, type Position, type Trouble } from "./process.ts";

/**
 * How much of a row is tried. `quick` is the share of every `npm test`. `full` leaves out only what repeats itself: a
 * process that dies at a call which changes nothing leaves the same world before it and after it, so one position is
 * enough there; a row without dependents, or one that is taken back, makes the calls of the row with dependents once
 * more. `all` leaves out nothing.
 */
export const depths = ["quick", "full", "all"] as const;
export type Depth = (typeof depths)[number];

/** Everything that is to happen at the calls of a row, each in a run of its own. */
export function planFor(row: Row, depth: Depth): (calls: readonly string[]) => Trouble[] {
  if (depth === "all") return everything;
  if (depth === "quick") return quick(row);
  if (row.takenBack) return takenBack;
  return row.dependents.length > 0 ? full : changes;
}

/** In words, for the table. */
export function planText({ takenBack: isBack, dependents }: Row, depth: Depth): string {
  if (depth === "all") return "every call, all positions";
  if (depth === "quick") return "some of the calls that change something";
  if (isBack) return "changes, 4 of each call";
  return dependents.length > 0 ? "every call; changes in all positions" : "changes, all positions";
}

type Plan = (calls: readonly string[]) => Trouble[];

const everything: Plan = (calls) => {
  const all = [...calls.keys()];
  return [...at(all, [...deaths, "cut"]), ...at(all, ["before", "lost"], true)];
};

const full: Plan = (calls) => {
  const changing = changingOf(calls);
  const outside = outsideOf(calls, changing);
  const reads = [...calls.keys()].filter((call) => !changing.includes(call));
  return [
    ...at(changing, [...deaths, "cut"]),
    ...at(reads, ["before"]),
    ...at(thinned(calls, reads, 2), ["cut"]),
    // What Redis held is gone then whatever the process was about to tell it.
    ...at(outside, ["before", "lost"], true),
  ];
};

const changes: Plan = (calls) => at(changingOf(calls), deaths);

const takenBack: Plan = (calls) => {
  const some = thinned(calls, changingOf(calls), 2);
  return [...at(some, ["before", "lost", "cut"]), ...at(some, ["lost"], true)];
};

/** Of the calls of the queue, which are most of all, the first and the last of each kind. */
function quick({ takenBack: isBack }: Row): Plan {
  return (calls) => {
    const changing = changingOf(calls);
    const outside = thinned(calls, outsideOf(calls, changing), 2);
    if (isBack) return at(outside, ["lost"]);
    return [...at(outside, ["before", "lost"]), ...at(thinned(calls, changing, 1), ["lost"])];
  };
}

function outsideOf(calls: readonly string[], among: readonly number[]): number[] {
  return among.filter((call) => !calls[call]?.startsWith("queue "));
}

function at(calls: readonly number[], positions: readonly Position[], flush = false): Trouble[] {
  return calls.flatMap((call) => positions.map((position) => ({ at: call, position, flush })));
}

/** Calls that change something; before and after all others the world is the same. */
function changingOf(calls: readonly string[]): number[] {
  return [...calls.keys()].filter((call) => changesSomething(calls[call] ?? ""));
}

function changesSomething(label: string): boolean {
  return !/^GET |^queue progress|\.(accepts|roles|accounts)$|\/(observe|verify)$|listKeys$|token$/.test(
    label,
  );
}

/**
 * While a group does not come up, keyturn looks at it again and again: of calls that repeat themselves, some of the first
 * and some of the last are enough.
 */
function thinned(calls: readonly string[], among: readonly number[], each: number): number[] {
  const byLabel = Map.groupBy(among, (call) => calls[call]);
  const some = [...byLabel.values()].flatMap((all) => [...all.slice(0, each), ...all.slice(-each)]);
  return [...new Set(some)].toSorted((a, b) => a - b);
}
