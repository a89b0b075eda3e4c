import type { Clock, Millis } from "./clock.ts";
import { Fault, toFault, type FaultCode } from "./errors.ts";
import type { Log } from "./log.ts";

export type State = "created" | "starting" | "running" | "draining" | "stopped" | "failed";

const next: Readonly<Record<State, readonly State[]>> = {
  created: ["starting", "stopped", "failed"],
  starting: ["running", "draining"],
  running: ["draining"],
  draining: ["stopped", "failed"],
  stopped: [],
  failed: [],
};

/** @internal */
export function isAllowed(from: State, to: State): boolean {
  return next[from].includes(to);
}

export interface LifecycleOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** From the call to stop until what is left is cut off. */
  readonly drain: Millis;
}

/** What `open` gets: where to put what it opens, and the two stages of the end. */
export interface Opening {
  /** Closed in reverse order. */
  readonly stack: AsyncDisposableStack;
  /** Aborts when the end begins: take nothing new. */
  readonly stopping: AbortSignal;
  /** Aborts when patience has ended: drop what you do. */
  readonly hurry: AbortSignal;
}

/** The life of one worker. It is used once. */
export interface Lifecycle {
  readonly state: State;
  /** Opens, waits for the end, closes. Resolves with the final state; it does not reject. */
  run(open: (opening: Opening) => Promise<void>): Promise<"stopped" | "failed">;
  /** The first call begins the end, a second one cuts it short. Works in every state. */
  stop(reason: string): void;
  /** Something that the worker cannot live without has failed. */
  fail(error: unknown): void;
}

/** After patience has ended: time for what was cut off to let go. */
const grace: Millis = 2_000;

export function createLifecycle({ clock, log, drain }: LifecycleOptions): Lifecycle {
  const stopping = new AbortController();
  const hurry = new AbortController();
  let state: State = "created";
  let failure: FaultCode | undefined;

  function enter(to: State): void {
    if (!isAllowed(state, to)) throw new Error(`a worker that is ${state} cannot become ${to}`);
    log.info({ from: state, to, ...(failure && { code: failure }) }, "worker changes state");
    state = to;
  }

  function end(): "stopped" | "failed" {
    const final = failure ? "failed" : "stopped";
    enter(final);
    return final;
  }

  function fail(error: unknown): void {
    failure ??= toFault(error).code;
    log.error({ err: error }, "worker fails");
    stopping.abort();
  }

  return {
    get state() {
      return state;
    },
    async run(open) {
      if (stopping.signal.aborted) return end();
      const ended = new AbortController();
      const over = patience(clock, drain, stopping.signal, hurry, ended.signal);
      const stack = new AsyncDisposableStack();
      enter("starting");
      const opened = open({ stack, stopping: stopping.signal, hurry: hurry.signal });
      // What fails because it was told to stop has not failed.
      await Promise.race([opened, over]).catch((error: unknown) => stopping.signal.aborted || fail(error));
      if (!stopping.signal.aborted) enter("running");
      await aborted(stopping.signal);
      enter("draining");
      await close(stack, over, clock).catch(fail);
      ended.abort();
      return end();
    },
    stop(reason) {
      const again = stopping.signal.aborted;
      log.info({ reason, again }, "worker is told to stop");
      (again ? hurry : stopping).abort();
    },
    fail,
  };
}

/** Resolves `limit` after `stopping`, or as soon as somebody is in a hurry; `hurry` has aborted then. */
async function patience(
  clock: Clock,
  limit: Millis,
  stopping: AbortSignal,
  hurry: AbortController,
  ended: AbortSignal,
): Promise<void> {
  await aborted(stopping);
  const cut = AbortSignal.any([hurry.signal, ended]);
  await clock.sleep(limit, cut).catch(() => undefined);
  if (!ended.aborted) hurry.abort();
}

/** @throws whatever a resource throws as it closes, or an error if some have not closed in time */
async function close(stack: AsyncDisposableStack, over: Promise<void>, clock: Clock): Promise<void> {
  const closed = stack.disposeAsync();
  await Promise.race([closed, over]);
  const inTime = new AbortController();
  const late = clock.sleep(grace, inTime.signal).then(() => {
    throw new Fault("cancelled", "some parts did not close in time");
  });
  late.catch(() => undefined);
  await Promise.race([closed, late]);
  inTime.abort();
}

interface Emitter {
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

/** SIGTERM and SIGINT begin the end; a second one of either cuts it short. Disposing takes the listeners away. */
export function stopOnSignals(lifecycle: Pick<Lifecycle, "stop">, emitter: Emitter): Disposable {
  const listeners = ["SIGTERM", "SIGINT"].map((name) => ({ name, listener: () => lifecycle.stop(name) }));
  for (const { name, listener } of listeners) emitter.on(name, listener);
  return {
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) emitter.off(name, listener);
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
