import { type FaultCode, faultCodes } from "../errors.ts";
import { findSecretByKey } from "../policy/lookup.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { WatchedProgress } from "../queue/watch.ts";
import { rotationId } from "../rotation/rotation-id.ts";
import { type CommandLine, exitCode } from "./dependencies.ts";
import { colours, timeOfDay } from "./output.ts";
import { unknownSecret } from "./unknown-secret.ts";

export interface RotateOptions {
  readonly reason?: string;
  readonly wait?: boolean;
}

/** An overlap longer than this is not waited for: the new credential is in use, the rest happens by itself. */
const longOverlap = 120_000;

/** Queues a rotation of the version that is latest now, and with `wait` shows each step until it is over. */
export async function rotate(
  line: CommandLine,
  key: string,
  { reason, wait }: RotateOptions,
): Promise<number> {
  await using session = await line.openSession();
  const secret = findSecretByKey(session.policy, key);
  if (!secret) return unknownSecret(line, session.policy, key);
  const version = await session.latestVersion(secret, line.interrupted);
  if (version === undefined) {
    line.err(`${secret.key} does not exist in its vault; store a first version, then ask again`);
    return exitCode.attention;
  }
  const over = new AbortController();
  const watch = wait ? session.watch(AbortSignal.any([over.signal, line.interrupted])) : undefined;
  await watch?.ready;
  const requestId = line.newRequestId();
  const jobId = await session.enqueue("rotate-secret", {
    vault: secret.vault.name,
    name: secret.name,
    version,
    trigger: "manual",
    mode: "routine",
    requestId,
    ...(line.actor && { actor: line.actor.slice(0, 128) }),
    ...(reason && { reason: reason.slice(0, 256) }),
  });
  line.out(`queued: rotation of ${secret.key}, version ${version}, request ${requestId}`);
  if (!watch) return exitCode.done;
  const rotation = rotationId(secret.vault.id, secret.name, version);
  const code = await follow(line, watch, { secret, jobId, rotation });
  over.abort();
  return code;
}

interface Followed {
  readonly secret: SecretPolicy;
  readonly jobId: string;
  readonly rotation: string;
}

async function follow(
  line: CommandLine,
  watch: AsyncIterable<WatchedProgress>,
  followed: Followed,
): Promise<number> {
  const jobs = new Set([followed.jobId]);
  try {
    for await (const progress of watch) {
      if (progress.secret === followed.secret.key) jobs.add(progress.jobId);
      if (!jobs.has(progress.jobId) || progress.step === "completed") continue;
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

function show(line: CommandLine, { at, step, text }: WatchedProgress): void {
  const { bold, dim } = colours(line);
  line.out(`${dim(timeOfDay(at))}  ${bold(step.padEnd(11))} ${text}`);
}

/** Whether this step is the last one to wait for; `undefined`: it goes on. */
function endOf(
  progress: WatchedProgress,
  { jobId, rotation }: Followed,
  line: CommandLine,
): number | undefined {
  const { step, text } = progress;
  if (step === "failed") return needsHuman(text) ? exitCode.attention : exitCode.failed;
  if (progress.jobId === jobId && step === "done") return exitCode.done;
  if (progress.rotation !== rotation) return undefined;
  if (step === "retired") return exitCode.done;
  const retiresAt = step === "overlap" ? Date.parse(/\S+Z$/.exec(text)?.[0] ?? "") : Number.NaN;
  return retiresAt - line.clock.now() > longOverlap ? exitCode.done : undefined;
}

/** A failed job tells `code: message`. */
function needsHuman(text: string): boolean {
  const code = text.split(":")[0] ?? "";
  return isCode(code) && faultCodes[code] === "needs-human";
}

function isCode(code: string): code is FaultCode {
  return Object.hasOwn(faultCodes, code);
}
