import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { depths } from "./plan.ts";
import { runInProcesses } from "./pool.ts";
import { seedOf } from "./random.ts";
import { replay } from "./replay.ts";
import { report } from "./report.ts";
import { type Amounts, type Outcome, tasksFor } from "./tasks.ts";

const say = (text: string) => process.stdout.write(`${text}\n`);

const program = new Command("npm run test:matrix --")
  .description(
    "Kills workers in memory at every call to the outside, lets two of them interleave, and lets anything happen in any order; checks the rules at every step and that all of it converges.",
  )
  .addOption(new Option("--depth <depth>", "how much of each row").choices(depths).default("full"))
  .option("--pairs <n>", "runs with two or three random crashes", count, 600)
  .option("--interleavings <n>", "orders of the calls of two workers", count, 2_400)
  .option("--histories <n>", "sequences of commands, half of them with people", count, 1_200)
  .option("--only <text>", "only pieces whose name contains it", "")
  .option("--processes <n>", "pieces at the same time", count, availableParallelism())
  .option("--seed <n>", "brings all of it back; default: KEYTURN_SEED, or a new one", count)
  .action(async (options: Omit<Amounts, "seed"> & { processes: number; seed?: number }) => {
    process.exitCode = await explore(
      { ...options, seed: options.seed ?? seedOf(process.env) },
      options.processes,
    );
  });

program
  .command("replay <name>")
  .description("run one case again, and print its calls")
  .action(async (name: string) => {
    const { lines, wrong } = await replay(name);
    say([...lines, "", ...(wrong.length > 0 ? wrong : ["converged"])].join("\n"));
    process.exitCode = wrong.length > 0 ? 1 : 0;
  });

await program.parseAsync();

async function explore(amounts: Amounts, processes: number): Promise<number> {
  const startedAt = performance.now();
  const tasks = tasksFor(amounts);
  say(`seed ${amounts.seed}; ${tasks.length} pieces on ${processes} processes`);
  const outcomes: Outcome[] = [];
  await runInProcesses(tasks, processes, (outcome) => {
    outcomes.push(outcome);
    const { name, runs, failures, seconds } = outcome;
    const text = failures.length > 0 ? `, ${failures.length} FAILED` : "";
    say(`${outcomes.length}/${tasks.length} ${name}: ${runs} runs, ${seconds.toFixed(0)} s${text}`);
  });
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  const runs = outcomes.reduce((sum, outcome) => sum + outcome.runs, 0);
  say(`\n${report(outcomes)}\n`);
  for (const { replay: name, wrong } of failures)
    say(`${wrong.slice(0, 12).join("\n")}\nnpm run test:matrix -- replay "${name}"\n`);
  say(`${runs} runs, ${runs - failures.length} converged, seed ${amounts.seed}, ${minutes} min`);
  return failures.length > 0 ? 1 : 0;
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError("expected a whole number");
}
