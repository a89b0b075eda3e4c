import { context as otel, propagation, trace } from "@opentelemetry/api";
import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { z } from "zod";
import type { Timestamp } from "../clock.ts";
import { Fault, toFault } from "../errors.ts";
import { attribute } from "../telemetry/names.ts";
import type { JobDefinition, Stage, StageData } from "./contracts.ts";
import { addDeadLetter } from "./dead-letters.ts";
import { describeIssues } from "./enqueue.ts";
import { writeFailure } from "./failure.ts";
import { type Fate, fateOf, newerJobWait } from "./fate.ts";
import { createJobContext, type JobResult, type JobServices, lockLost, type Run } from "./job-context.ts";

/** BullMQ stores an error's message and stack: ours has a code, our own sentence and no stack. */
class RunFailed extends Error {
  override readonly name = "RunFailed";
  override readonly stack = "";
}

class DeadLettered extends UnrecoverableError {
  override readonly stack = "";
}

/**
 * One run of a job, from its data as found in Redis to what BullMQ shall do with it next. Throws only BullMQ's control
 * errors and errors that may be stored.
 */
export async function runJob<S extends Stage>(
  stage: JobDefinition<S>,
  services: JobServices,
  job: Job<unknown, JobResult>,
  token: string,
  signal: AbortSignal,
): Promise<JobResult> {
  const run: Run<S> = { stage, services, job, token, signal };
  if (isNewer(job.data)) return requeueAfter(run, services.clock.now() + newerJobWait);
  const parsed = stage.data.safeParse(job.data);
  if (!parsed.success) {
    const fault = new Fault("invalid-job", describeIssues(parsed.error));
    return deadLetter(run, fault, undefined);
  }
  try {
    const outcome = await inTraceOf(parsed.data, () =>
      stage.run(parsed.data, createJobContext(run, parsed.data)),
    );
    if ("done" in outcome) return { done: outcome.done };
    services.log.debug({ ...ids(run), at: outcome.requeueAfter }, outcome.why);
    return await requeueAfter(run, outcome.requeueAfter);
  } catch (error) {
    if (error instanceof DelayedError) throw error;
    return settle(run, toFault(error), parsed.data);
  }
}

function ids({ stage, job }: Run<Stage>) {
  return { [attribute.stage]: stage.stage, jobId: job.id };
}

const Newer = z.looseObject({ v: z.number().int().min(2) });

/** Queued by a newer version of keyturn, in a format that we do not know. */
function isNewer(data: unknown): boolean {
  return Newer.safeParse(data).success;
}

/** BullMQ's span continues the trace when it traces; without it the job's own data does. */
function inTraceOf<T>(data: StageData[Stage], work: () => Promise<T>): Promise<T> {
  if (trace.getActiveSpan() || !data.trace) return work();
  return otel.with(propagation.extract(otel.active(), data.trace), work);
}

async function settle<S extends Stage>(run: Run<S>, fault: Fault, data: StageData[S]): Promise<never> {
  const { job, stage, services, signal } = run;
  const attempt = job.attemptsMade + 1;
  const fate = fateOf(fault, {
    now: services.clock.now(),
    since: job.timestamp + (job.opts.delay ?? 0),
    attempt,
    attempts: Math.min(stage.attempts, job.opts.attempts ?? 1),
    aborted: signal.aborted ? (signal.reason === lockLost ? "lock-lost" : "stopping") : undefined,
  });
  tell(run, fault, fate);
  if (fate.kind === "retry") throw new RunFailed(writeFailure(fault, data));
  if (fate.kind === "requeue-after") return requeueAfter(run, fate.at);
  if (fate.kind === "dead-letter") return deadLetter(run, fault, data);
  if (fate.kind === "requeue") return requeue(job, run.token);
  throw new WaitingError();
}

/** For the next worker, at once and at no cost in attempts. */
export async function requeue(job: Job, token: string): Promise<never> {
  // Fails only if the job is not ours any more.
  await job.moveToWait(token).catch(() => {});
  throw new WaitingError();
}

/** Puts the job back until then, at no cost in attempts. */
async function requeueAfter<S extends Stage>({ job, token }: Run<S>, at: Timestamp): Promise<never> {
  // Fails only if the job is not ours any more (lock lost, Redis flushed): then there is nothing to put back.
  await job.moveToDelayed(at, token).catch(() => {});
  throw new DelayedError();
}

async function deadLetter<S extends Stage>(
  { stage, services, job }: Run<S>,
  fault: Fault,
  data: StageData[S] | undefined,
): Promise<never> {
  const letter = {
    stage: stage.stage,
    jobId: job.id ?? "",
    ...(data ? { data: withoutEnvelope(data) } : {}),
    code: fault.code,
    message: fault.message.slice(0, 500),
    attempts: job.attemptsMade + 1,
  };
  await addDeadLetter(services.redis, services.clock, letter).catch(() => {
    // The job stays until its end can be written down.
    throw new RunFailed(writeFailure(fault, data));
  });
  throw new DeadLettered(writeFailure(fault, data));
}

function withoutEnvelope({
  v: _v,
  policy: _policy,
  trace: _trace,
  ...data
}: StageData[Stage]): Record<string, unknown> {
  return data;
}

function tell<S extends Stage>(run: Run<S>, fault: Fault, fate: Fate): void {
  const span = trace.getActiveSpan();
  span?.setAttributes({ [attribute.code]: fault.code, [attribute.outcome]: fate.kind });
  if (fate.kind === "retry" || fate.kind === "dead-letter")
    span?.setAttribute(attribute.errorType, fault.code);
  const fields = { ...ids(run), code: fault.code, attempt: run.job.attemptsMade + 1, fate: fate.kind };
  const level = fate.kind === "dead-letter" || fault.code === "internal-error" ? "error" : "info";
  run.services.log[level](
    {
      ...fields,
      ...(fault.secret ? { [attribute.secret]: fault.secret } : {}),
      // Names, codes and places only: where a bug is, and Azure's request id where there is one.
      ...(level === "error" ? { err: fault } : {}),
    },
    fault.message,
  );
}
