import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import { type Finding, judge } from "./judge.ts";
import { allMutants, type Mutant } from "./mutant.ts";
import { openWorkshop } from "./workshop.ts";

const usage = `npm run test:mutants [-- NAME ...]

Breaks keyturn on purpose: applies each patch of test/mutants to a copy of the project and runs the tests that must
catch it. The copies are compiled first, and the tests must pass on a copy that is not broken.

  NAME     only the mutants whose names contain one of these
  --help   this text

Exit code: 0 if all are caught, 1 if not, 2 for wrong usage, 130 if interrupted.
`;

/** Two cores, two mutants: most tests wait for nobody. */
const lanes = 2;

interface Row {
  readonly mutant: Mutant;
  readonly finding: Finding;
  readonly seconds: number;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const all = await allMutants();
  const mutants = all.filter(
    ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
  );
  if (mutants.length === 0)
    throw new Error(
      `no mutant is called ${positionals.join(" ")}; there are:\n${all.map(({ name }) => name).join("\n")}`,
    );
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  return await run(mutants, stop.signal);
}

async function run(mutants: readonly Mutant[], signal: AbortSignal): Promise<number> {
  const sound = await tryUnbroken(mutants, signal);
  if (signal.aborted) return 130;
  if (sound.kind !== "survived") {
    console.error(`the tests do not even pass on what is not broken: ${describe(sound)}`);
    return 1;
  }
  const rows = await tryAll(mutants, signal);
  if (signal.aborted) return 130;
  print(rows);
  const caught = rows.filter(({ finding }) => finding.kind === "caught").length;
  console.log(`caught ${caught}/${rows.length}`);
  return caught === rows.length ? 0 : 1;
}

/** Else a failure means nothing. */
async function tryUnbroken(mutants: readonly Mutant[], signal: AbortSignal): Promise<Finding> {
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))].toSorted();
  console.log(`unbroken, these must pass: ${tests.join(" ")}`);
  await using workshop = await openWorkshop();
  return judge(await workshop.test(tests, { workers: lanes, bail: false }, signal), tests);
}

async function tryAll(mutants: readonly Mutant[], signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  const left = [...mutants];
  const lane = async () => {
    for (let mutant = left.shift(); mutant && !signal.aborted; mutant = left.shift()) {
      const startedAt = performance.now();
      const finding = await tryOne(mutant, signal);
      if (signal.aborted) return;
      rows.push({ mutant, finding, seconds: (performance.now() - startedAt) / 1000 });
      console.log(`${mutant.name}: ${describe(finding)}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return rows.toSorted((a, b) => a.mutant.name.localeCompare(b.mutant.name));
}

async function tryOne(mutant: Mutant, signal: AbortSignal): Promise<Finding> {
  await using workshop = await openWorkshop();
  try {
    await workshop.apply(mutant);
  } catch (error) {
    return { kind: "broken", why: `does not apply: ${error instanceof Error ? error.message : "unknown"}` };
  }
  const wrong = await workshop.typeErrors(signal);
  if (wrong !== undefined) return { kind: "broken", why: `does not compile: ${wrong.split("\n")[0]}` };
  return judge(await workshop.test(mutant.tests, { workers: 1, bail: true }, signal), mutant.tests);
}

function print(rows: readonly Row[]): void {
  const table = new Table({
    head: ["mutant", "tests", "caught by", "time"],
    colWidths: [null, null, 56, null],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { mutant, finding, seconds } of rows) {
    const tests = mutant.tests.map((test) => test.replace(/^test\//, "")).join("\n");
    table.push([mutant.name, tests, describe(finding), `${seconds.toFixed(1)} s`]);
  }
  console.log(table.toString());
}

function describe(finding: Finding): string {
  if (finding.kind === "caught") return finding.by;
  return finding.kind === "survived" ? pc.red("SURVIVED") : pc.red(`ERROR: ${finding.why}`);
}
