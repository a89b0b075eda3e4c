import { findSecretByKey } from "../policy/lookup.ts";
import type { SecretPolicy } from "../policy/policy.ts";
import type { StageInput } from "../queue/contracts.ts";
import { rotationId } from "../rotation/record/rotation-id.ts";
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

export interface ResolveOptions {
  readonly retry?: boolean;
  readonly abandon?: boolean;
  /** Id of a container group. */
  readonly confirm?: string;
  /** Id of a credential. */
  readonly revoke?: string;
}

/** Answers a rotation that has asked something, or was given up or held. */
export async function resolve(line: CommandLine, key: string, options: ResolveOptions): Promise<number> {
  const { confirm, revoke } = options;
  const given = answers.filter((mode) => options[mode]);
  const [mode] = given;
  if (!mode || given.length > 1) {
    line.err("say one of --retry, --abandon, --confirm GROUP, --revoke ID");
    return exitCode.usage;
  }
  if (confirm !== undefined && !confirm.startsWith("/subscriptions/")) {
    line.err("--confirm takes the whole resource id of a container group, /subscriptions/...");
    return exitCode.usage;
  }
  return await put(line, key, { mode, subject: confirm ?? revoke });
}

const answers = ["retry", "abandon", "confirm", "revoke"] as const;

interface Question {
  readonly mode: StageInput<"rotate-secret">["mode"];
  readonly subject?: string | undefined;
  readonly reason?: string | undefined;
  readonly wait?: boolean | undefined;
}

async function put(
  line: CommandLine,
  key: string,
  { mode, subject, reason, wait }: Question,
): Promise<number> {
  await using session = await line.openSession();
  const secret = findSecretByKey(session.policy, key);
  if (!secret) return unknownSecret(line, session.policy, key);
  const version = await session.latestVersion(secret, line.interrupted);
  if (version === undefined) {
    line.err(`${secret.key} does not exist in its vault; store a first version, then ask again`);
    return exitCode.attention;
  }
  const send = () => request(line, session, { secret, version, reason, mode, subject });
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
  { secret, version, reason, mode, subject }: Asked & Omit<Question, "wait">,
): Promise<string> {
  const requestId = line.newRequestId();
  const jobId = await enqueue("rotate-secret", {
    vault: secret.vault.name,
    name: secret.name,
    version,
    trigger: "manual",
    mode,
    requestId,
    ...(subject && { subject: subject.slice(0, 512) }),
    ...(line.actor && { actor: line.actor.slice(0, 128) }),
    ...(reason && { reason: reason.slice(0, 256) }),
  });
  const what = mode === "routine" || mode === "compromised" ? "rotation" : mode;
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
