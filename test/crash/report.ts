import { table } from "../../src/cli/output.ts";
import type { Outcome } from "./tasks.ts";

/** What was run, in the order of the rows, with totals for each part. */
export function report(outcomes: readonly Outcome[]): string {
  const parts = [...Map.groupBy(outcomes, ({ part }) => part)];
  return parts.map(([part, all]) => `${part}\n${partTable(all)}`).join("\n\n");
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
  const head = ["row", "tried", "points", "runs", "converged", "time"];
  return table(head, [...sorted.map(line), total]);

  function line(outcome: Outcome): string[] {
    const { name, scope, points, runs, seconds } = outcome;
    const numbers = [points, runs, converged(outcome)].map(String);
    return [name, scope, ...numbers, `${seconds.toFixed(0)} s`];
  }
}
