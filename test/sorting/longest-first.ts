import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { root, type SourceFiles } from "./files.ts";
import { needOf } from "./needs.ts";

/**
 * Starts the longest files first, so that none of them runs alone at the end. Vitest remembers how long each took; on a
 * new machine what they need has to do.
 */
export function longestFirst(files: SourceFiles): typeof BaseSequencer {
  return class extends BaseSequencer {
    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      const milliseconds = new Map(
        specifications.map((one) => {
          const known = this.ctx.cache.getTestSpecificationResult(one);
          return [one, known?.duration ?? guess(files, relative(root, one.moduleId))];
        }),
      );
      const orderOf = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
      const lengthOf = (one: TestSpecification) => milliseconds.get(one) ?? 0;
      return specifications.toSorted((a, b) => orderOf(a) - orderOf(b) || lengthOf(b) - lengthOf(a));
    }
  };
}

/** A long text has many tests. */
function guess(files: SourceFiles, test: string): number {
  const usual = { flow: 40_000, minute: 40_000, servers: 3_000, process: 1_000, unit: 0 };
  const { length = 0 } = files.get(test)?.text ?? {};
  const need = needOf(files, test);
  return usual[need] + length * (need === "flow" ? 5 : 0.1);
}
