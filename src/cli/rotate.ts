import { findSecretByKey } from "../policy/lookup.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { StageInput } from "../queue/contracts.ts";
import { rotationId } from "../rotation/rotation-id.ts";
import { type CommandLine, exitCode, type Session } from "./dependencies.ts";
import { follow } from "./follow.ts";
import { unknownSecret } from "./unknown-secret.ts";

export interface RotateOptions {
  readonly reason?: string;
  readonly wait?: boolean;
  /** The value is leaked. */
  readonly compromised?: boolean;
}

/** Queues a rotation of the version that is latest now, and with `wait` shows each step until it is over. */
export async function rotate(
  line: CommandLine,
  key: string,
  { reason, wait, compromised }: RotateOptions,
): Promise<number> {
  return await put(line, key, { reason, wait, mode: compromised ? "compromised" : "routine" });
}

/** Answers a rotation that was given up or held: tries it again, or takes it back. */
export async function resolve(
  line: CommandLine,
  key: string,
  { retry, abandon }: { readonly retry?: boolean; readonly abandon?: boolean },
): Promise<number> {
  if (Boolean(retry) === Boolean(abandon)) {
    line.err("say --retry or --abandon");
    return exitCode.usage;
  }
  return await put(line, key, { mode: retry ? "retry" : "abandon" });
}

interface Question {
  readonly mode: StageInput<"rotate-secret">["mode"];
  readonly reason?: string | undefined;
  readonly wait?: boolean | undefined;
}

async function put(line: CommandLine, key: string, { mode, reason, wait }: Question): Promise<number> {
  await using session = await line.openSession();
  const secret = findSecretByKey(session.policy, key);
  if (!secret) return unknownSecret(line, session.policy, key);
  const version = await session.latestVersion(secret, line.interrupted);
  if (version === undefined) {
    line.err(`${secret.key} does not exist in its vault; store a first version, then ask again`);
    return exitCode.attention;
  }
  const send = () => request(line, session, { secret, version, reason, mode });
  if (wait) return await askAndFollow(line, session, { secret, version, ask: send });
  await send();
  return exitCode.done;
}

interface Asked {
  readonly secret: SecretPolicy;
  /** The version the person saw: a request that finds another one has nothing left to do. */
  readonly version: string;
}

/** Never deduplicated: each person's request is answered. Resolves with the job's id. */
async function request(
  line: CommandLine,
  { enqueue }: Session,
  { secret, version, reason, mode }: Asked & Pick<Question, "reason" | "mode">,
): Promise<string> {
  const requestId = line.newRequestId();
  const jobId = await enqueue("rotate-secret", {
    vault: secret.vault.name,
    name: secret.name,
    version,
    trigger: "manual",
    mode,
    requestId,
    ...(line.actor && { actor: line.actor.slice(0, 128) }),
    ...(reason && { reason: reason.slice(0, 256) }),
  });
  const what = mode === "retry" || mode === "abandon" ? mode : "rotation";
  line.out(`queued: ${what} of ${secret.key}, version ${version}, request ${requestId}`);
  return jobId;
}

/** Watches before it asks, so that the first step is not missed. */
async function askAndFollow(
  line: CommandLine,
  session: Session,
  { secret, version, ask }: Asked & { ask: () => Promise<string> },
): Promise<number> {
  const over = new AbortController();
  try {
    const watch = session.watch(AbortSignal.any([over.signal, line.interrupted]));
    await watch.ready;
    if (line.interrupted.aborted) {
      line.err("interrupted; nothing was queued");
      return exitCode.interrupted;
    }
    const jobId = await ask();
    const rotation = rotationId(secret.vault.id, secret.name, version);
    return await follow(line, watch, { secret, jobId, rotation });
  } finally {
    over.abort();
  }
}
