import { isTest, reach, type SourceFiles } from "./files.ts";

/**
 * What a test file needs decides where it runs, and is read from what it imports, so that nobody can put it in the wrong
 * place:
 *
 * | need | because it reaches |
 * |---|---|
 * | `flow` | the programs of this project: it starts keyturn itself, with all that it lives in |
 * | `servers` | `node:child_process`: it starts other programs, such as Redis or PostgreSQL |
 * | `process` | something that changes the whole process: its environment, its certificates, OpenTelemetry's providers, or the token cache of @azure/identity |
 * | `minute` | a search through many rotations in virtual time or many malformed policies: much pure computing |
 * | `unit` | none of these: it takes milliseconds and gets along with any other in one process |
 *
 * A server in the process itself, on a free port of loopback, is fine for all of them.
 */
export type Need = "flow" | "servers" | "process" | "minute" | "unit";

const ownPrograms = "test/support/entry-points.ts";
const longSearches = [
  "test/crash/matrix.ts",
  "test/crash/interleaving.ts",
  "test/policy/loaded-or-refused.ts",
];
const changesProcess =
  /\bsetDefaultCACertificates\(|\bsetGlobal[A-Z]\w+\(|\bassign\(process\.env\b|\bprocess\.env(?:\.\w+|\[[^\]]+\])\s*=[^=]|\bprocess\.chdir\(|\bstubEnv\(/;

export function needOf(files: SourceFiles, test: string): Need {
  const reached = reach(files, test, ({ imports }) => imports);
  if (reached.has(ownPrograms)) return "flow";
  if (reached.has("node:child_process")) return "servers";
  const isProcessWide = (path: string) => changesProcess.test(files.get(path)?.text ?? "");
  if (reached.has("@azure/identity") || [...reached].some(isProcessWide)) return "process";
  return longSearches.some((path) => reached.has(path)) ? "minute" : "unit";
}

/** Every test file of the project, under what it needs. */
export function sortTests(files: SourceFiles): Record<Need, string[]> {
  const tests = [...files.keys()].filter(isTest).toSorted();
  const byNeed = Map.groupBy(tests, (test) => needOf(files, test));
  const of = (need: Need) => byNeed.get(need) ?? [];
  return {
    flow: of("flow"),
    servers: of("servers"),
    process: of("process"),
    minute: of("minute"),
    unit: of("unit"),
  };
}
