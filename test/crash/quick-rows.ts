import { describe, expect, test } from "vitest";
import { rowName, rows } from "./exploring.ts";
import { runMatrix } from "./matrix.ts";
import { planFor } from "./plan.ts";

/**
 * The share of the matrix that every `npm test` runs, for the scenarios whose names begin so: one file each, since files
 * are what runs side by side. Rows without dependents make no call that those with dependents do not make.
 */
export function describeRows(...beginnings: readonly string[]): void {
  const mine = rows.filter(
    ({ scenario: { name }, dependents }) =>
      dependents.length > 0 && beginnings.some((beginning) => name.startsWith(beginning)),
  );
  /** All of it: `npm run test:matrix`; one of them again: `npm run test:matrix -- replay "<name>"`. */
  describe("a worker that dies at a call that changes something leaves a rotation that the next one ends", () => {
    test.each(mine.map((row) => [rowName(row), row] as const))(
      "%s",
      { timeout: 120_000 },
      async (_name, row) => {
        const { failures, points, left } = await runMatrix(row, planFor(row, "quick"));
        expect(failures).toEqual([]);
        expect(points).toBeGreaterThan(10);
        expect(Object.keys(left).length).toBeGreaterThan(6);
      },
    );
  });
}
