import { z } from "zod";
import type { FaultCode } from "../errors.ts";
import { requestModes, triggers } from "../request.ts";

/** The pipeline's stages; each is a queue of its own, so that a slow stage never holds up another. */
export const stages = ["sweep-vaults", "rotate-secret", "roll-dependents", "restart-group"] as const;

export type Stage = (typeof stages)[number];

/** W3C trace context, so that a job continues the trace that queued it. */
const TraceContext = z.strictObject({
  traceparent: z.string().max(64),
  tracestate: z.string().max(512).optional(),
});

export type TraceContext = z.infer<typeof TraceContext>;

const envelope = { v: z.literal(1), policy: z.string().max(64), trace: TraceContext.optional() };
const secret = { vault: z.string().max(24), name: z.string().max(127) };

/** Ids only: a value never enters a job. Unknown fields are refused; a higher `v` is a newer replica's job. */
export const RotateSecret = z.strictObject({
  ...envelope,
  ...secret,
  trigger: z.enum(triggers),
  /** The version the event named, or the one the requester saw. */
  version: z.string().max(64).optional(),
  /** `confirm` and `revoke` say of what in `subject`. */
  mode: z.enum(requestModes).default("routine"),
  /** A container group's id, or a credential's. */
  subject: z.string().max(512).optional(),
  requestId: z.string().max(64),
  /** Who asked, as they say themselves. */
  actor: z.string().max(128).optional(),
  reason: z.string().max(256).optional(),
});

export type RotateSecret = z.infer<typeof RotateSecret>;

export const RollDependents = z.strictObject({ ...envelope, reason: z.string().max(256).optional() });

export type RollDependents = z.infer<typeof RollDependents>;

export const RestartGroup = z.strictObject({
  ...envelope,
  group: z.string().max(512),
  /** The containers must have started after this (ms since the epoch): publish time plus skew. */
  startedAfter: z.number(),
  /** `vault/name` of the secrets it is restarted for. */
  secrets: z.array(z.string().max(160)).max(500),
  /** A hint, kept by the job itself: when it last sent the restart. Looking decides, not this. */
  sentAt: z.number().optional(),
  /** A hint, kept by the job itself: when the job first looked; the roll-out deadline counts from here. */
  since: z.number().optional(),
});

export type RestartGroup = z.infer<typeof RestartGroup>;

export const SweepVaults = z.strictObject({ ...envelope, deep: z.boolean().default(false) });

export type SweepVaults = z.infer<typeof SweepVaults>;

export interface StageData {
  "sweep-vaults": SweepVaults;
  "rotate-secret": RotateSecret;
  "roll-dependents": RollDependents;
  "restart-group": RestartGroup;
}

/** The schema of each stage's data. */
export const stageData: { readonly [S in Stage]: z.ZodType<StageData[S]> } = {
  "sweep-vaults": SweepVaults,
  "rotate-secret": RotateSecret,
  "roll-dependents": RollDependents,
  "restart-group": RestartGroup,
};

/** What the sender of a job fills in; version, policy digest and trace context are added by `Enqueue`. */
export type StageInput<S extends Stage> = Omit<StageData[S], "v" | "policy" | "trace">;

export interface EnqueueOptions {
  /** At most one live job per key; a second one is dropped, or kept as one follow-up while the first is active. */
  readonly dedupe?: string;
  /** Milliseconds from now. */
  readonly delay?: number;
}

/** Resolves with the job id once Redis has acknowledged the job. The active trace context travels with it. */
export type Enqueue = <S extends Stage>(
  stage: S,
  data: StageInput<S>,
  options?: EnqueueOptions,
) => Promise<string>;

/** What a job tells those who watch it. Ids and words only. */
export interface Progress {
  /** ms since the epoch */
  readonly at: number;
  /** A short word: `intent`, `parked`, `applied`, `published`, `restarting`, `retired`, ... */
  readonly step: string;
  /** One sentence for a person. */
  readonly text: string;
  readonly secret?: string;
  readonly rotation?: string;
  readonly group?: string;
  /** When the next step is due, where it waits for a time (ms since the epoch). */
  readonly until?: number;
  /** Why it failed, or what a person is asked. */
  readonly code?: FaultCode;
}

/**
 * How a run of a job ended, if not by a fault. `requeueAfter`: the same job, not before that time (ms since the epoch);
 * costs no attempt.
 */
export type Outcome = { readonly done: string } | { readonly requeueAfter: number; readonly why: string };

/** What a job gets besides its data. */
export interface JobContext {
  readonly jobId: string;
  /** 1 for the first try. Looking again is not a try. */
  readonly attempt: number;
  /** Aborts on shutdown and when the job's lock is lost. */
  readonly signal: AbortSignal;
  progress(progress: Omit<Progress, "at">): Promise<void>;
  enqueue: Enqueue;
  /** Keeps a hint in the job's own data. */
  remember(hints: Record<string, number>): Promise<void>;
  /** Runs `work` while holding the Redis lock `key`; `lock-held` if somebody else does. It saves effort, no more. */
  withLock<T>(key: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** A stage of the pipeline: one file in `jobs/`. */
export interface JobDefinition<S extends Stage> {
  readonly stage: S;
  readonly data: z.ZodType<StageData[S]>;
  /** Tries of a retriable fault before the job is a dead letter. */
  readonly attempts: number;
  run(data: StageData[S], context: JobContext): Promise<Outcome>;
}

/** The whole pipeline. */
export type JobDefinitions = { readonly [S in Stage]: JobDefinition<S> };
