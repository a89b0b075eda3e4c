import { faultCodes } from "../errors.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { WatchedProgress } from "../queue/watch.ts";
import { type CommandLine, exitCode } from "./dependencies.ts";
import { colours, timeOfDay } from "./output.ts";

/** An overlap longer than this is not waited for: the new credential is in use, the rest happens automatically. */
const longOverlap = 120_000;

export interface Followed {
  readonly secret: SecretPolicy;
  /** Of the request. */
  readonly jobId: string;
  /** Which the request asks for; other jobs carry it on. */
  readonly rotation: string;
}

/** Shows the steps of a rotation, whichever job takes them, until it is over. Resolves with the exit code. */
export async function follow(
  line: CommandLine,
  watch: AsyncIterable<WatchedProgress>,
  followed: Followed,
): Promise<number> {
  const jobs = new Set([followed.jobId]);
  try {
    for await (const progress of watch) {
      if (progress.secret === followed.secret.key) jobs.add(progress.jobId);
      if (!jobs.has(progress.jobId) || isNothing(progress, followed)) continue;
      show(line, progress);
      const code = endOf(progress, followed, line);
      if (code !== undefined) return code;
    }
  } catch (error) {
    if (!line.interrupted.aborted) throw error;
  }
  line.err("no longer watching; the rotation goes on");
  return exitCode.interrupted;
}

/** That another job, such as the sweep's, found nothing to do is no step of this rotation. */
function isNothing({ step, jobId }: WatchedProgress, followed: Followed): boolean {
  return step === "completed" || (step === "done" && jobId !== followed.jobId);
}

function show(line: CommandLine, { at, step, text, code }: WatchedProgress): void {
  const { bold, dim } = colours(line);
  line.out(`${dim(timeOfDay(at))}  ${bold(step.padEnd(11))} ${code ? `${code}: ` : ""}${text}`);
}

/** Whether this step is the last one to wait for; `undefined`: it goes on. */
function endOf(
  progress: WatchedProgress,
  { jobId, rotation }: Followed,
  line: CommandLine,
): number | undefined {
  const { step, code, until } = progress;
  if (step === "failed")
    return code && faultCodes[code] === "needs-human" ? exitCode.attention : exitCode.failed;
  if (progress.jobId === jobId && step === "done") return exitCode.done;
  if (progress.rotation !== rotation) return undefined;
  if (step === "retired") return exitCode.done;
  const isLong = step === "overlap" && until !== undefined && until - line.clock.now() > longOverlap;
  return isLong ? exitCode.done : undefined;
}
