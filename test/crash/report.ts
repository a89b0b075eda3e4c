import { table } from "../../src/cli/output.ts";
import { stages } from "./stages.ts";
import type { Outcome } from "./tasks.ts";

/** What was run, in the order of the rows, with totals for each part. */
export function report(outcomes: readonly Outcome[]): string {
  const parts = [...Map.groupBy(outcomes, ({ part }) => part)];
  const tables = parts.map(([part, all]) => `${part}\n${partTable(all)}`);
  return [...tables, `where processes died\n${stageTable(outcomes)}`].join("\n\n");
}

/** What was left behind at every death: in no row, and the case would have failed. */
function stageTable(outcomes: readonly Outcome[]): string {
  const scenarios = Map.groupBy(outcomes, ({ name }) => name.split(" with ")[0] ?? "");
  const withDeaths = [...scenarios].filter(([, all]) => all.some(({ left }) => Object.keys(left).length > 0));
  const deaths = (all: readonly Outcome[], stage: string) =>
    all.reduce((sum, { left }) => sum + (left[stage] ?? 0), 0);
  const lines = stages.map(({ name, provider, latest, pending }) => [
    name,
    provider,
    latest,
    pending,
    ...withDeaths.map(([, all]) => String(deaths(all, name))),
  ]);
  const names = withDeaths.map(([name]) => name.replaceAll(/[ -]/g, "\n"));
  return table(["stage", "provider accepts", "latest", "pending", ...names], lines);
}

function partTable(outcomes: readonly Outcome[]): string {
  const sorted = outcomes.toSorted((one, other) => one.name.localeCompare(other.name));
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0);
  const converged = ({ runs, failures }: Outcome) => runs - failures.length;
  const total = [
    "total",
    "",
    String(sum(({ points }) => points)),
    String(sum(({ runs }) => runs)),
    String(sum(converged)),
    `${sum(({ seconds }) => seconds).toFixed(0)} s`,
  ];
  const head = ["row", "tried", "points", "runs", "converged", "processor"];
  return table(head, [...sorted.map(line), total]);

  function line(outcome: Outcome): string[] {
    const { name, scope, points, runs, seconds } = outcome;
    const numbers = [points, runs, converged(outcome)].map(String);
    return [name, scope, ...numbers, `${seconds.toFixed(0)} s`];
  }
}
