import { findSecretByKey } from "../policy/lookup.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import { rotationId } from "../rotation/rotation-id.ts";
import { type CommandLine, exitCode, type Session } from "./dependencies.ts";
import { follow } from "./follow.ts";
import { unknownSecret } from "./unknown-secret.ts";

export interface RotateOptions {
  readonly reason?: string;
  readonly wait?: boolean;
}

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
  const ask = () => request(line, session, { secret, version, reason });
  if (wait) return await askAndFollow(line, session, { secret, version, ask });
  await ask();
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
  { secret, version, reason }: Asked & { reason: string | undefined },
): Promise<string> {
  const requestId = line.newRequestId();
  const jobId = await enqueue("rotate-secret", {
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
