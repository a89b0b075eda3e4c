import { type CommandLine, exitCode } from "./dependencies.ts";
import { relative, table } from "./output.ts";

/** Jobs that were given up, newest first. */
export async function listDeadLetters(
  line: CommandLine,
  { json }: { readonly json?: boolean },
): Promise<number> {
  await using session = await line.openSession();
  const letters = await session.deadLetters.list();
  if (json) line.out(JSON.stringify(letters, undefined, 2));
  else if (letters.length === 0) line.out("no dead letters");
  else {
    const rows = letters.map(({ id, stage, code, message, at }) => [
      id,
      stage,
      relative(at, line.clock),
      code,
      message,
    ]);
    line.out(table(["ID", "STAGE", "AGE", "CODE", "MESSAGE"], rows));
  }
  return letters.length > 0 ? exitCode.attention : exitCode.done;
}

/** Queues a job that was given up once more. */
export async function replayDeadLetter(line: CommandLine, id: string): Promise<number> {
  await using session = await line.openSession();
  await session.deadLetters.replay(id, session.enqueue);
  line.out(`queued again: ${id}`);
  return exitCode.done;
}
