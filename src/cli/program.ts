import { Command, CommanderError } from "commander";
import { isFault, toFault } from "../errors.ts";
import { listDeadLetters, replayDeadLetter } from "./dead-letters.ts";
import { type CommandLine, exitCode } from "./dependencies.ts";
import { checkPolicy, printSchema } from "./policy.ts";
import { resolve, type ResolveOptions, rotate, type RotateOptions } from "./rotate.ts";
import { status, type StatusOptions } from "./status.ts";
import { sweep } from "./sweep.ts";

const more = `
Environment: KEYTURN_POLICY (path of the policy file), KEYTURN_REDIS, AZURE_CLIENT_ID; the worker also takes
KEYTURN_SERVICEBUS, KEYTURN_QUEUE, KEYTURN_PORT, KEYTURN_BIND, OTEL_*, LOG_LEVEL.

Exit codes: 0 done or already under way, 1 failed, 2 usage or invalid policy, 3 something is due, odd or needs a
human, 130 interrupted --wait (the job goes on).

Examples:
  keyturn rotate prod-kv/orders-db --reason "password seen in a chat" --wait
  keyturn status --json
  keyturn policy check policy.yaml`;

/** Runs one command line, without the names of program and script. Resolves with the exit code; does not reject. */
export async function runCommandLine(
  line: CommandLine,
  version: string,
  args: readonly string[],
): Promise<number> {
  let code: number = exitCode.done;
  const program = createProgram(line, version, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    return explain(line, error);
  }
}

function createProgram(line: CommandLine, version: string, end: (code: number) => void): Command {
  const program = new Command("keyturn")
    .description(
      "Rotates Azure Key Vault secrets before they expire and restarts the container groups that read them.",
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => line.out(text.trimEnd()),
      writeErr: (text) => line.err(text.trimEnd()),
    })
    .addHelpText("after", more)
    .showHelpAfterError("(keyturn --help shows what there is)");
  program
    .command("worker")
    .description("run the worker: receives events, rotates, restarts")
    .action(async () => end(await line.runWorker()));
  program
    .command("rotate <vault/name>")
    .description("queue a rotation of one secret")
    .option("--reason <text>", "why, for the record")
    .option("--wait", "show each step until it is over; Ctrl-C stops watching, not the rotation")
    .option(
      "--compromised",
      "the value is leaked: readers restart together, the old credential goes without overlap",
    )
    .action(async (key: string, options: RotateOptions) => end(await rotate(line, key, options)));
  program
    .command("resolve <vault/name>")
    .description("answer a rotation that has asked something, or was given up or held")
    .option("--retry", "the cause is mended: go on")
    .option("--abandon", "take it back: what is published stays")
    .option("--confirm <group>", "do not wait for this container group (its resource id), whatever it shows")
    .option("--revoke <id>", "revoke this credential, which is none that is published")
    .action(async (key: string, options: ResolveOptions) => end(await resolve(line, key, options)));
  program
    .command("status [vault/name]")
    .description("what is there, what is due, what is under way, who has to decide")
    .option("--json", "for machines")
    .action(async (key: string | undefined, options: StatusOptions) => end(await status(line, key, options)));
  program
    .command("sweep")
    .description("queue a sweep of all vaults")
    .option("--deep", "observe every secret, not only what is due or open by its dates and tags")
    .action(async (options: { deep?: boolean }) => end(await sweep(line, options)));
  addDeadLetters(program, line, end);
  addPolicy(program, line, end);
  return program;
}

function addDeadLetters(program: Command, line: CommandLine, end: (code: number) => void): void {
  const letters = program.command("dead-letters").description("jobs that were given up");
  letters
    .command("list", { isDefault: true })
    .description("show them, newest first")
    .option("--json", "for machines")
    .action(async (options: { json?: boolean }) => end(await listDeadLetters(line, options)));
  letters
    .command("replay <id>")
    .description("queue one of them again")
    .action(async (id: string) => end(await replayDeadLetter(line, id)));
}

function addPolicy(program: Command, line: CommandLine, end: (code: number) => void): void {
  const policy = program.command("policy").description("the policy file");
  policy
    .command("check <file>")
    .description("name every problem with its line and the fix")
    .action(async (file: string) => end(await checkPolicy(line, file)));
  policy
    .command("schema")
    .description("print its JSON schema, for editors")
    .action(() => end(printSchema(line)));
}

/** What went wrong, in our own words; a library's text could quote anything. */
function explain(line: CommandLine, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage;
  if (!isFault(error)) {
    line.err(
      `keyturn: internal-error: ${toFault(error).message}; this is a bug in keyturn, please report it`,
    );
    return exitCode.failed;
  }
  line.err(`keyturn: ${error.code}: ${error.message}`);
  if (error.code === "invalid-policy" || error.code === "invalid-config") return exitCode.usage;
  return error.kind === "needs-human" ? exitCode.attention : exitCode.failed;
}
