import { z } from "zod";

/** What is read of vitest's JSON report. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), title: z.string() })),
    }),
  ),
});

/** `broken`: the run says nothing, since the mutant or a test did not even load. */
export type Finding =
  | { readonly kind: "caught"; readonly by: string }
  | { readonly kind: "survived" }
  | { readonly kind: "broken"; readonly why: string };

/** A mutant is caught by a test that ran and failed; a file that failed without running a test proves nothing. */
export function judge(report: unknown, tests: readonly string[]): Finding {
  const parsed = Report.safeParse(report);
  if (!parsed.success) return { kind: "broken", why: "vitest left no report" };
  const { testResults } = parsed.data;
  const outcomes = testResults.map(({ name, status, assertionResults }) => ({
    name,
    failed: assertionResults.find((test) => test.status === "failed")?.title,
    passed: assertionResults.some((test) => test.status === "passed"),
    isBroken: status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  }));
  const broken = outcomes.find(({ isBroken }) => isBroken);
  if (broken) return { kind: "broken", why: `${broken.name} does not load` };
  const by = outcomes.find(({ failed }) => failed !== undefined)?.failed;
  if (by !== undefined) return { kind: "caught", by };
  const silent = tests.find(
    (test) => !outcomes.some(({ name, passed }) => name.endsWith(`/${test}`) && passed),
  );
  return silent === undefined ? { kind: "survived" } : { kind: "broken", why: `no test ran in ${silent}` };
}
