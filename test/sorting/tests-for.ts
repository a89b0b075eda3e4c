import { isTest, reach, type SourceFiles } from "./files.ts";

/** Who changes one of these changes how every test runs. */
const forAll = /^(package-lock\.json|tsconfig\.json|test\/(run\.mjs|vitest\.config\.ts|sorting\/.*))$/;

/** The tests that reach a changed file, by imports or by a name in quotes. */
export function testsFor(files: SourceFiles, changed: readonly string[]): string[] {
  const tests = [...files.keys()].filter(isTest).toSorted();
  if (changed.some((path) => forAll.test(path))) return tests;
  return tests.filter((test) => {
    const reached = reach(files, test, ({ imports, named }) => [...imports, ...named]);
    return changed.some((path) => reached.has(path));
  });
}
