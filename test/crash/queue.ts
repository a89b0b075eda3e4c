import { randomUUID } from "node:crypto";
import type { Clock, Timestamp } from "../../src/clock.ts";
import { Fault } from "../../src/errors.ts";
import { type EnqueueOptions, type Stage, type StageData, stageData } from "../../src/queue/contracts.ts";

/** A job as Redis keeps it. */
export interface Job {
  readonly id: string;
  readonly stage: Stage;
  data: StageData[Stage];
  readonly dedupe: string | undefined;
  readonly addedAt: Timestamp;
  runAt: Timestamp;
  attemptsMade: number;
  /** While a worker has it; after `until` it counts as stalled and is given to the next. */
  owner: { readonly id: string; until: Timestamp } | undefined;
  /** The last one that was refused because of this one while it ran: queued when this one is over. */
  next: StageData[Stage] | undefined;
}

/** What happens to a job after a run. */
export type Fate =
  | { readonly kind: "done" | "dead"; readonly text: string }
  | { readonly kind: "requeue-after"; readonly at: Timestamp; readonly costs: boolean };

/**
 * Redis as BullMQ and our own locks use it: deduplication with one follow-up while a job runs, delays, stalled jobs,
 * locks with a lease. It outlives the processes; `flush` makes it forget.
 */
export interface Redis {
  readonly jobs: Map<string, Job>;
  readonly deadLetters: string[];
  readonly locks: Map<string, { readonly owner: string; until: Timestamp }>;
  /** Turned off, every lock is granted to everybody. */
  locking: boolean;
  add(stage: Stage, data: object, options?: EnqueueOptions): string;
  /** The job that has waited longest. */
  due(): Job | undefined;
  /** Gives that job to a worker. */
  take(owner: string): Job | undefined;
  /** `false` if the job is not this owner's any more. */
  settle(job: Job, owner: string, fate: Fate): boolean;
  lock(key: string, owner: string): void;
  unlock(key: string, owner: string): void;
  /** The owner stops renewing: what it holds runs out after the lease. */
  abandon(owner: string): void;
  /** When something can next be done. */
  nextAt(): Timestamp | undefined;
  flush(): void;
}

export function createRedis(clock: Clock, lease: number): Redis {
  const jobs: Redis["jobs"] = new Map();
  const locks: Redis["locks"] = new Map();
  const deadLetters: string[] = [];
  const isFree = ({ owner }: Job) => owner === undefined || owner.until <= clock.now();
  const availableAt = (job: Job) => Math.max(job.runAt, job.owner?.until ?? 0);

  const insert = (stage: Stage, data: StageData[Stage], dedupe: string | undefined, delay: number) => {
    const now = clock.now();
    const job: Job = {
      id: randomUUID(),
      stage,
      data,
      dedupe,
      addedAt: now,
      runAt: now + delay,
      attemptsMade: 0,
      owner: undefined,
      next: undefined,
    };
    jobs.set(job.id, job);
    return job.id;
  };

  const redis: Redis = {
    jobs,
    locks,
    deadLetters,
    locking: true,
    add(stage, input, { dedupe, delay = 0 } = {}) {
      const parsed = stageData[stage].safeParse({ v: 1, policy: "test", ...input });
      if (!parsed.success) throw new Fault("invalid-job", `${stage}: ${parsed.error.message}`);
      const same = [...jobs.values()].find((job) => job.stage === stage && job.dedupe === dedupe);
      if (!dedupe || !same) return insert(stage, parsed.data, dedupe, delay);
      if (same.owner) same.next = parsed.data;
      return same.id;
    },
    due() {
      const ready = [...jobs.values()].filter((job) => isFree(job) && job.runAt <= clock.now());
      return ready.toSorted((a, b) => a.runAt - b.runAt)[0];
    },
    take(owner) {
      const job = redis.due();
      if (job) job.owner = { id: owner, until: Number.POSITIVE_INFINITY };
      return job;
    },
    settle(job, owner, fate) {
      if (jobs.get(job.id)?.owner?.id !== owner) return false;
      job.owner = undefined;
      if (fate.kind === "requeue-after") {
        job.runAt = Math.max(fate.at, clock.now());
        if (fate.costs) job.attemptsMade += 1;
        return true;
      }
      jobs.delete(job.id);
      if (fate.kind === "dead") deadLetters.push(`${job.stage} ${fate.text}`);
      if (job.next) insert(job.stage, job.next, job.dedupe, 0);
      return true;
    },
    lock(key, owner) {
      const held = locks.get(key);
      if (redis.locking && held && held.until > clock.now())
        throw new Fault("lock-held", `somebody else is at work on ${key}`);
      locks.set(key, { owner, until: Number.POSITIVE_INFINITY });
    },
    unlock(key, owner) {
      if (locks.get(key)?.owner === owner) locks.delete(key);
    },
    abandon(owner) {
      const until = clock.now() + lease;
      const isTheirs = (id: string) => `${id} `.startsWith(`${owner} `);
      for (const { owner: other } of jobs.values()) if (other && isTheirs(other.id)) other.until = until;
      for (const lock of locks.values()) if (isTheirs(lock.owner)) lock.until = until;
    },
    nextAt() {
      const times = [...jobs.values()].map(availableAt).filter(Number.isFinite);
      return times.length > 0 ? Math.min(...times) : undefined;
    },
    flush() {
      jobs.clear();
      locks.clear();
    },
  };
  return redis;
}
