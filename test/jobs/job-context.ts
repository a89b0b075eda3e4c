import type { EnqueueOptions, JobContext, Stage } from "../../src/queue/contracts.ts";

interface Queued {
  readonly stage: Stage;
  readonly data: object;
  readonly options: EnqueueOptions | undefined;
}

export interface RecordedContext {
  readonly context: JobContext;
  /** What the job has queued, in order. */
  readonly queued: Queued[];
  /** The hints it has kept. */
  readonly hints: Record<string, number>;
}

/** What a job gets besides its data, remembering what it does with it. */
export function recordedContext(): RecordedContext {
  const queued: Queued[] = [];
  const hints: Record<string, number> = {};
  const { signal } = new AbortController();
  const context: JobContext = {
    jobId: "job-1",
    attempt: 1,
    signal,
    progress: async () => {},
    enqueue: async (stage, data, options) => {
      queued.push({ stage, data, options });
      return `job-${queued.length + 1}`;
    },
    remember: async (kept) => void Object.assign(hints, kept),
    withLock: (_key, work) => work(signal),
  };
  return { context, queued, hints };
}
