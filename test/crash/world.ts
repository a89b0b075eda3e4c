import { createLog, type Log } from "../../src/log.ts";
import { readRecord } from "../../src/rotation/record/tags.ts";
import { createGround, type GroundOptions, hour, type Message, overlap } from "./ground.ts";
import { broken } from "./monitor.ts";
import { isAccepted, latest, type Snapshot } from "./snapshot.ts";
import { stageOf } from "./stages.ts";
import { createProcess, cutOff, never, type Pass, type Process, type Trouble } from "./process.ts";
import { createRedis } from "./queue.ts";
import { runNextJob } from "./run-job.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { createWorker, type Worker } from "./worker.ts";

export interface WorldOptions extends GroundOptions {
  readonly troubles?: readonly Trouble[];
  /** Virtual milliseconds that each call takes. */
  readonly latency?: number;
  /** Where the processes log to; nowhere by default. */
  readonly log?: Log;
  /** Called, and waited for, before each call: where the search for interleavings decides who goes on. */
  readonly turn?: (process: Process, label: string) => Promise<void>;
}

/** Until then, calls with these labels fail without an effect. */
interface Outage {
  readonly of: RegExp;
  readonly until: number;
}

const lease = 30_000;
/** More than any history needs: somebody does the same again and again. */
const mostCalls = 20_000;
const silent = createLog("silent");
const dead = Symbol("dead");

/**
 * A world in which the real jobs run, die and converge: everything outside in memory, everything timed on one virtual
 * clock, every call of a process to the outside counted, watched, and possibly its last.
 */
export async function createWorld(scenario: Scenario, options: WorldOptions = {}) {
  const { latency = 0, log = silent, turn } = options;
  const ground = await createGround(scenario, options);
  const { clock } = ground;
  const redis = createRedis(clock, lease);
  const troubles = new Map((options.troubles ?? []).map((trouble) => [trouble.at, trouble]));
  const outages: Outage[] = [];
  const calls: string[] = [];
  const violations: string[] = [];
  const workers: Worker[] = [];
  const schedule = { next: Number.POSITIVE_INFINITY, sweeps: 0 };
  /** Stages in which processes died; `undefined`: one that should not be. */
  const left: (string | undefined)[] = [];
  let initial: Snapshot | undefined;
  let refusedSince: number | undefined;
  let longestGap = 0;
  let inFlight = 0;
  let closedSince: number | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function kill(process: Process, flush = false): void {
    process.alive = false;
    redis.abandon(process.id);
    if (flush) flushRedis();
  }

  function flushRedis(): void {
    redis.flush();
    // A living worker puts the schedule back from its own timer.
    schedule.next = Math.min(schedule.next, clock.now() + 60_000 + hour);
  }

  /** One effect at a time, with the rules checked before anybody else moves. */
  function watched<T>(process: Process, label: string, effect: () => Promise<T> | T): Promise<T> {
    const work = async () => {
      const before = ground.snapshot();
      try {
        return await effect();
      } finally {
        const change = { before, after: ground.snapshot(), process, scenario, overlap };
        noteGap(change.after);
        for (const found of broken(change)) violations.push(`#${calls.length - 1} ${label}: ${found}`);
      }
    };
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  }

  /** One call and what happens to it. `dead`: the caller does not live to see the answer. */
  async function attempt<T>(
    ...[process, label, effect, cut]: Parameters<typeof pass<T>>
  ): Promise<T | typeof dead> {
    if (latency > 0) await clock.advance(latency);
    if (!process.alive) return dead;
    if (calls.length >= mostCalls) {
      kill(process);
      return dead;
    }
    const { position, flush } = troubles.get(calls.push(label) - 1) ?? {};
    if (outages.some((outage) => clock.now() < outage.until && outage.of.test(label))) throw cut();
    if (process.doomed || position === "before") {
      kill(process, flush);
      return dead;
    }
    const result = await watched(process, label, effect);
    if (!process.alive) return dead;
    if (position === "cut") throw cut();
    if (position === "lost") kill(process, flush);
    if (position === "after") process.doomed = true;
    if (position === "after" && flush) flushRedis();
    return position === "lost" ? dead : result;
  }

  const pass: Pass = async (process, label, effect, cut) => {
    if (process.alive && turn) await turn(process, label);
    inFlight += 1;
    const answer = await attempt(process, label, effect, cut).finally(() => {
      inFlight -= 1;
    });
    return answer === dead ? never() : answer;
  };

  /** Runs one piece of work of a process; how it ends is told by the world. */
  function begin({ process }: Worker, work: () => Promise<void>): void {
    process.running += 1;
    work()
      .catch((error: unknown) => violations.push(`a process failed: ${String(error)}`))
      .finally(() => {
        process.running -= 1;
      });
  }

  function startWorker(): Worker {
    const process = createProcess(`process-${workers.length + 1}`);
    const worker = createWorker(ground, redis, process, pass, log);
    workers.push(worker);
    begin(worker, async () => {
      const sweep = () => redis.add("sweep-vaults", { deep: false }, { dedupe: "sweep" });
      await pass(process, "queue add sweep-vaults", sweep, cutOff.port).catch(() => {});
      if (schedule.next === Number.POSITIVE_INFINITY) schedule.next = clock.now() + hour;
    });
    return worker;
  }

  const alive = () => workers.filter(({ process }) => process.alive);

  /** Starts the next thing that is due on this worker. `false` if there is none. */
  function startNext(worker: Worker): boolean {
    const message = ground.messages.find(({ lockedUntil }) => lockedUntil <= clock.now());
    if (message) {
      begin(worker, () => handleMessage(worker, message));
      return true;
    }
    if (!redis.due()) return false;
    begin(worker, () => runNextJob(worker));
    return true;
  }

  async function handleMessage(worker: Worker, message: Message): Promise<void> {
    const { process } = worker;
    message.lockedUntil = clock.now() + lease;
    message.deliveryCount += 1;
    const call = (what: string, effect: () => void) => pass(process, `message ${what}`, effect, cutOff.port);
    const queued = process.queued;
    const remove = () => {
      if (!message.about.endsWith("--pending") && process.queued === queued)
        violations.push(`an event about ${message.about} was completed without a job`);
      const at = ground.messages.indexOf(message);
      if (at >= 0) ground.messages.splice(at, 1);
    };
    await worker.handle(
      {
        id: message.id,
        body: message.body,
        contentType: "application/cloudevents+json",
        properties: {},
        enqueuedAt: clock.now(),
        deliveryCount: message.deliveryCount - 1,
        complete: () => call("complete", remove),
        abandon: () =>
          call("abandon", () => {
            message.lockedUntil = 0;
          }),
        async deadLetter(code) {
          violations.push(`an event was dead-lettered: ${code}`);
          await call("dead-letter", remove);
        },
      },
      new AbortController().signal,
    );
  }

  /**
   * Waits until nobody gets any further by himself: all work is done, suspended (`suspended` tells how much of it), or
   * asleep on the clock.
   */
  async function still(suspended: () => number = () => 0): Promise<"done" | "suspended" | "asleep"> {
    const running = () => alive().reduce((sum, { process }) => sum + process.running, 0);
    for (let idle = 0; idle < 100; idle += 1) {
      if (running() === 0) return "done";
      if (inFlight === 0 && suspended() >= running()) return "suspended";
      await new Promise((resolve) => setImmediate(resolve));
      if (inFlight > 0) idle = 0;
    }
    return suspended() > 0 ? "suspended" : "asleep";
  }

  /** Waits until nobody works any more. Who sleeps on the clock meanwhile is woken. */
  async function settle(): Promise<void> {
    while ((await still()) === "asleep") {
      if (clock.nextAt === undefined) throw new Error("a process waits for nothing");
      await clock.advance(clock.nextAt - clock.now());
    }
  }

  /** Moves the time to the next moment at which anything happens. */
  async function wait(until: number): Promise<void> {
    const locks = ground.messages.map(({ lockedUntil }) => lockedUntil);
    const times = [clock.nextAt ?? until, redis.nextAt() ?? until, ...locks].filter((at) => at > clock.now());
    // Calls take time as well, so the next sweep may be overdue.
    await clock.advance(Math.max(0, Math.min(until, schedule.next, ...times) - clock.now()));
    if (clock.now() < schedule.next) return;
    schedule.next += hour;
    schedule.sweeps += 1;
    redis.add("sweep-vaults", { deep: schedule.sweeps % 24 === 0 });
  }

  /** A rotation has come to its end, the to-do list is empty, and two sweeps have found nothing more to do. */
  function isOver(): boolean {
    const now = latest(ground.snapshot());
    const isClosed = now !== undefined && readRecord(now.tags).state === "retired";
    closedSince = isClosed ? (closedSince ?? schedule.sweeps) : undefined;
    const isQuiet = redis.jobs.size === 0 && ground.messages.length === 0;
    return isQuiet && closedSince !== undefined && schedule.sweeps >= closedSince + 2;
  }

  /** How long the provider has refused latest; with two credentials it never does. */
  function noteGap(seen: Snapshot): void {
    refusedSince = isAccepted(seen, latest(seen)) ? undefined : (refusedSince ?? clock.now());
    longestGap = Math.max(longestGap, clock.now() - (refusedSince ?? clock.now()));
  }

  /** Where the last process died. People who meddle make states of their own. */
  function noteStage(): void {
    const seen = ground.snapshot();
    initial ??= seen;
    if (calls.length === 0) return;
    const stage = stageOf(seen, scenario, initial);
    left.push(stage?.name);
  }

  /**
   * Lets things happen, one after the other, until `isOver` or the time is up. A process that died is replaced after a
   * second.
   */
  async function run(limit: number, over: () => boolean = isOver): Promise<void> {
    const until = clock.now() + limit;
    while (clock.now() < until) {
      if (calls.length >= mostCalls) {
        violations.push(`nobody came to rest: ${calls.slice(-40).join(", ")}`);
        return;
      }
      if (alive().length === 0) {
        noteStage();
        await clock.advance(1_000);
        startWorker();
      }
      await settle();
      const worker = alive()[calls.length % Math.max(1, alive().length)];
      if (!worker || startNext(worker)) continue;
      if (over()) return;
      await wait(until);
    }
  }

  return {
    ground,
    redis,
    calls,
    violations,
    left,
    /** The longest time, in virtual milliseconds, for which the provider refused latest. */
    get longestGap() {
      return longestGap;
    },
    workers,
    run,
    kill,
    flushRedis,
    startWorker,
    startNext,
    settle,
    still,
    isOver,
    wait,
    alive,
    outages,
    /** From here on everything works. */
    calm(): void {
      outages.length = 0;
      troubles.clear();
      ground.allergic.clear();
      for (const { process } of workers) process.doomed = false;
    },
    /** Lets something happen at a call that is still to come: 0 is the next one. */
    strike({ at, ...trouble }: Trouble): void {
      troubles.set(calls.length + at, { ...trouble, at });
    },
    close: () => ground.close(),
  };
}

export type World = Awaited<ReturnType<typeof createWorld>>;
