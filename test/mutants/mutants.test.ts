import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { judge } from "./judge.ts";
import { allMutants, applied, readMutant } from "./mutant.ts";

const root = join(import.meta.dirname, "../..");
const mutants = await allMutants();

test("there are fifteen broken variants of the product", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(15);
});

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s still applies", (_name, mutant) => {
  for (const edit of mutant.edits) {
    expect(edit.file).toMatch(/^(src|jobs)\//);
    const text = readFileSync(join(root, edit.file), "utf8");
    expect(applied(text, edit)).not.toBe(text);
  }
});

test("every mutant names tests that exist", () => {
  const missing = mutants.flatMap(({ tests }) => tests.filter((file) => !existsSync(join(root, file))));
  expect(missing).toEqual([]);
});

test("the product has no switch for them", () => {
  const files = globSync("{src,jobs}/**/*", { cwd: root, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const naming = files.filter(({ parentPath, name }) =>
    /mutant/i.test(readFileSync(join(parentPath, name), "utf8")),
  );
  expect(naming).toEqual([]);
});

const patch = `What is broken.
Tests: test/a.test.ts test/b.test.ts

diff --git a/src/a.ts b/src/a.ts
index 1..2 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -1,3 +1,2 @@
 one
-two
 three
`;

test("a patch is read with its reason and its tests, and changes the lines wherever they are now", () => {
  const { about, tests, edits } = readMutant("01-a", patch);
  expect({ about, tests }).toEqual({ about: "What is broken.", tests: ["test/a.test.ts", "test/b.test.ts"] });
  const [edit] = edits;
  if (!edit) throw new Error("no edit was read");
  expect(applied("zero\none\ntwo\nthree\n", edit)).toBe("zero\none\nthree\n");
  expect(() => applied("one\nthree\n", edit)).toThrow("has no place");
  expect(() => applied("one\ntwo\nthree\none\ntwo\nthree\n", edit)).toThrow("has several places");
});

test("a patch without tests or reason is refused", () => {
  expect(() => readMutant("01-a", patch.replace(/^Tests.*$/m, ""))).toThrow("header");
  expect(() => readMutant("01-a", patch.replace(/^What.*$/m, ""))).toThrow("header");
});

test("only a test that ran and failed catches a mutant", () => {
  const file = (status: string, ...tests: string[]) => ({
    name: "/copy/test/a.test.ts",
    status,
    assertionResults: tests.map((each) => ({ status: each, title: `a test that ${each}` })),
  });
  const verdict = (...testResults: object[]) => judge({ testResults }, ["test/a.test.ts"]);
  expect(verdict(file("failed", "passed", "failed"))).toEqual({ kind: "caught", by: "a test that failed" });
  expect(verdict(file("passed", "passed"))).toEqual({ kind: "survived" });
  for (const nothing of [file("failed"), file("passed"), file("passed", "skipped")]) {
    expect(verdict(nothing)).toMatchObject({ kind: "broken" });
  }
  expect(judge(undefined, [])).toMatchObject({ kind: "broken" });
});
