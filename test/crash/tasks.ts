import { hash } from "node:crypto";
import { anyHistory } from "../property/model.ts";
import { duels, kindName, kinds } from "../property/duels.ts";
import { search } from "../property/search.ts";
import { rowName, rows, randomCrashes } from "./exploring.ts";
import { type Failure, runMatrix } from "./matrix.ts";
import { type Depth, planFor, planText } from "./plan.ts";
import { scenarios } from "./scenarios/index.ts";

/** One piece of the whole, by names only, so that any thread can do it. */
export type Task =
  | { readonly part: "crash points"; readonly row: string; readonly depth: Depth }
  | { readonly part: "random crashes"; readonly name: string; readonly runs: number; readonly seed: number }
  | {
      readonly part: "two workers";
      readonly scenario: string;
      readonly kind: string;
      readonly runs: number;
      readonly seed: number;
    }
  | { readonly part: "histories"; readonly people: boolean; readonly runs: number; readonly seed: number };

export interface Outcome {
  readonly part: Task["part"];
  readonly name: string;
  /** What of it was tried. */
  readonly scope: string;
  readonly points: number;
  readonly runs: number;
  readonly failures: readonly Failure[];
  /** How many processes died in each stage of a rotation. */
  readonly left: Readonly<Record<string, number>>;
  /** Of a processor, whoever else was at work on it. */
  readonly seconds: number;
}

export interface Amounts {
  readonly depth: Depth;
  /** Runs with two or more crashes each. */
  readonly pairs: number;
  readonly interleavings: number;
  readonly histories: number;
  readonly seed: number;
  /** Text that a piece's name has to contain. */
  readonly only: string;
}

/** Longest pieces first, so that no thread is left with one of them at the end. */
export function tasksFor({ depth, pairs, interleavings, histories, seed, only }: Amounts): Task[] {
  const duelling = scenarios.flatMap(({ name }) =>
    kinds.map((kind) => ({ scenario: name, kind: kindName(kind) })),
  );
  const tasks: Task[] = [
    ...rows.toReversed().map((row): Task => ({ part: "crash points", row: rowName(row), depth })),
    ...share(histories, 4).map(
      (runs, part): Task => ({ part: "histories", people: part % 2 === 1, runs, seed: (seed + part) >>> 0 }),
    ),
    ...share(pairs, 4).map(
      (runs, part): Task => ({
        part: "random crashes",
        name: `part ${part + 1}`,
        runs,
        seed: (seed + part) >>> 0,
      }),
    ),
    ...share(interleavings, duelling.length).map((runs, part): Task => {
      const { scenario = "", kind = "" } = duelling[part] ?? {};
      return { part: "two workers", scenario, kind, runs, seed: seedFor(seed, scenario + kind) };
    }),
  ];
  return tasks.filter((task) => taskName(task).includes(only) && (!("runs" in task) || task.runs > 0));
}

function taskName(task: Task): string {
  if (task.part === "crash points") return task.row;
  if (task.part === "random crashes") return `random crashes, ${task.name}`;
  if (task.part === "two workers") return `two workers, ${task.kind}: ${task.scenario}`;
  return `histories ${task.people ? "with people" : "of accidents"}, seed ${task.seed}`;
}

export async function runTask(task: Task): Promise<Outcome> {
  const startedAt = process.cpuUsage();
  const done = await work(task);
  const { user, system } = process.cpuUsage(startedAt);
  const seconds = (user + system) / 1_000_000;
  return { part: task.part, name: taskName(task), ...done, seconds };
}

function work(task: Task): Promise<Omit<Outcome, "part" | "name" | "seconds">> {
  switch (task.part) {
    case "crash points":
      return crashPoints(task.row, task.depth);
    case "random crashes":
      return some("2 or 3 crashes each", randomCrashes(task.seed, task.runs));
    case "two workers": {
      const scenario = scenarios.find(({ name }) => name === task.scenario);
      const kind = kinds.find((one) => kindName(one) === task.kind);
      if (!scenario || !kind) throw new Error(`there is no ${taskName(task)}`);
      const name = `two workers/${scenario.name}/${task.kind}`;
      return some(
        "any order of calls",
        search(name, (trace) => duels(scenario, kind, trace), task),
      );
    }
    case "histories": {
      const name = `histories/${task.people ? "people" : "accidents"}`;
      return some(
        "up to 30 commands",
        search(name, (trace) => anyHistory(task.people, trace), task),
      );
    }
    default:
      return task satisfies never;
  }
}

async function crashPoints(name: string, depth: Depth) {
  const row = rows.find((one) => rowName(one) === name);
  if (!row) throw new Error(`there is no row ${name}`);
  return { scope: planText(row, depth), ...(await runMatrix(row, planFor(row, depth))) };
}

async function some(scope: string, found: Promise<{ runs: number; failures: readonly Failure[] }>) {
  return { scope, points: 0, left: {}, ...(await found) };
}

/** As even as it gets. */
function share(total: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, part) => Math.floor((total + part) / parts));
}

/** One seed brings back all; each piece goes its own way with it. */
function seedFor(seed: number, name: string): number {
  return (seed ^ Number.parseInt(hash("sha256", name).slice(0, 8), 16)) >>> 0;
}
