import { context, propagation } from "@opentelemetry/api";
import type { JobsOptions } from "bullmq";
import { Fault } from "../errors.ts";
import {
  type Enqueue,
  type EnqueueOptions,
  type Stage,
  stageData,
  type StageInput,
  type TraceContext,
} from "./contracts.ts";
import { awayFault, jobOptions, openQueues } from "./queues.ts";
import type { RedisConnections } from "./redis.ts";
import type { QueueTelemetry } from "./telemetry.ts";

export interface EnqueueParts {
  readonly redis: RedisConnections;
  /** Digest of the policy by which the sender acts. */
  readonly policy: string;
  readonly telemetry?: QueueTelemetry | undefined;
}

export interface Enqueuer {
  /**
   * A deduplicated job's answer is the id of the job that is already there.
   *
   * @throws Fault `unavailable` within seconds if Redis is away; `invalid-job` if the data does not fit the stage
   */
  readonly enqueue: Enqueue;
  close(): Promise<void>;
}

export function createEnqueue({ redis, policy, telemetry }: EnqueueParts): Enqueuer {
  const queues = openQueues(redis, telemetry);
  return {
    async enqueue(stage, input, options = {}) {
      const trace = activeTrace();
      const data = checked(stage, { v: 1, policy, ...(trace ? { trace } : {}), ...input });
      const queue = await queues.get(stage);
      try {
        const job = await queue.add(stage, data, addOptions(options, trace));
        return job.id ?? "";
      } catch (error) {
        throw awayFault(error);
      }
    },
    close: () => queues.close(),
  };
}

function checked<S extends Stage>(stage: S, data: StageInput<S>): object {
  const parsed = stageData[stage].safeParse(data);
  if (parsed.success) return parsed.data;
  throw new Fault("invalid-job", `${stage}: ${describeIssues(parsed.error)}`);
}

/** Where the data is wrong and how, without quoting it. */
export function describeIssues(error: {
  issues: { code?: string | undefined; path: PropertyKey[] }[];
}): string {
  return error.issues.map(({ code, path }) => `${path.map(String).join(".") || "job"}: ${code}`).join(", ");
}

function addOptions({ dedupe, delay }: EnqueueOptions, trace: TraceContext | undefined): JobsOptions {
  return {
    ...jobOptions,
    ...(delay === undefined ? {} : { delay }),
    // A trigger that comes while the job runs may be news to it; one that comes before is not.
    ...(dedupe === undefined ? {} : { deduplication: { id: dedupe, keepLastIfActive: true } }),
    // BullMQ overwrites this with its own span of the adding, if it traces.
    ...(trace ? { telemetry: { metadata: JSON.stringify(trace) } } : {}),
  };
}

function activeTrace(): TraceContext | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const { traceparent, tracestate } = carrier;
  if (traceparent === undefined) return undefined;
  // Vendors' state may be dropped; a job that cannot be queued because of it would be worse.
  return { traceparent, ...(tracestate && tracestate.length <= 512 ? { tracestate } : {}) };
}
