import type { Clock, Millis } from "../../../src/clock.ts";
import type { ProcessSpec, RunProcess } from "../container-process.ts";
import type { ContainerEvent, ContainerState } from "../state.ts";

export interface SuperviseOptions {
  readonly spec: Omit<ProcessSpec, "onLine">;
  readonly policy: "Always" | "OnFailure" | "Never";
  readonly run: RunProcess;
  readonly clock: Clock;
  /** Azure waits 10 s, then twice as long each time, at most 5 min; locally nobody wants to wait that long. */
  readonly backOff: { readonly first: Millis; readonly most: Millis };
  /** Between SIGTERM and SIGKILL. */
  readonly grace: Millis;
  /** Called after each change of the container's state. */
  changed(): void;
}

export interface Supervision {
  /** Ends the container for good and waits until it is gone. */
  stop(): Promise<void>;
}

const keptLines = 1_000;
const keptEvents = 50;

/** Runs a container according to its restart policy and keeps `container` up to date. It starts before this returns. */
export function supervise(container: ContainerState, options: SuperviseOptions): Supervision {
  const stopping = new AbortController();
  const finished = keepRunning(container, options, stopping.signal);
  return {
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

async function keepRunning(
  container: ContainerState,
  options: SuperviseOptions,
  stopped: AbortSignal,
): Promise<void> {
  const { clock, backOff, policy } = options;
  for (let failures = 0; ; failures++) {
    const begun = clock.now();
    const exitCode = await runOnce(container, options, stopped);
    if (stopped.aborted || policy === "Never" || (policy === "OnFailure" && exitCode === 0)) return;
    // A run that lasted has earned a fresh start, as with Kubernetes after ten minutes.
    if (clock.now() - begun > 5 * backOff.most) failures = 0;
    await waitBefore(container, options, Math.min(backOff.first * 2 ** failures, backOff.most), stopped);
    if (stopped.aborted) return;
    container.restartCount += 1;
  }
}

async function runOnce(
  container: ContainerState,
  options: SuperviseOptions,
  stopped: AbortSignal,
): Promise<number> {
  const { clock, grace } = options;
  const running = options.run({ ...options.spec, onLine: (line) => keepLine(container, line) });
  if (container.state === "Terminated") container.previousState = snapshot(container);
  enter(container, { state: "Running", startTime: clock.now(), pid: running.pid });
  note(container, clock, "Started", "Started container");
  options.changed();
  const end = () => {
    note(container, clock, "Killing", "Killing container");
    running.end(grace);
  };
  stopped.addEventListener("abort", end, { once: true });
  const exitCode = await running.exited;
  stopped.removeEventListener("abort", end);
  const detailStatus = exitCode === 0 ? "Completed" : "Error";
  const { startTime } = container;
  enter(container, { state: "Terminated", startTime, finishTime: clock.now(), exitCode, detailStatus });
  options.changed();
  return exitCode;
}

async function waitBefore(
  container: ContainerState,
  options: SuperviseOptions,
  pause: Millis,
  stopped: AbortSignal,
): Promise<void> {
  container.previousState = snapshot(container);
  const detailStatus = `CrashLoopBackOff: Back-off ${pause}ms restarting failed container=${container.name}`;
  enter(container, { state: "Waiting", detailStatus });
  note(container, options.clock, "BackOff", "Back-off restarting failed container");
  options.changed();
  // The only way it rejects is our own abort: then the caller sees that we were stopped.
  await options.clock.sleep(pause, stopped).catch(() => undefined);
  if (!stopped.aborted) return;
  enter(container, { ...container.previousState, state: "Terminated" });
  options.changed();
}

/** A state replaces all fields of the state before. */
function enter(container: ContainerState, state: Partial<ContainerState> & { state: string }): void {
  Object.assign(container, {
    startTime: undefined,
    finishTime: undefined,
    exitCode: undefined,
    pid: undefined,
    detailStatus: "",
    ...state,
  });
}

function snapshot(container: ContainerState): NonNullable<ContainerState["previousState"]> {
  const { state, startTime, finishTime, exitCode, detailStatus } = container;
  return { state, startTime, finishTime, exitCode, ...(detailStatus ? { detailStatus } : {}) };
}

function keepLine(container: ContainerState, line: string): void {
  container.log.push(line);
  if (container.log.length > keptLines) container.log.shift();
}

function note(container: ContainerState, clock: Clock, name: string, message: string): void {
  const events = (container.events ??= []);
  const known = events.find((event) => event.name === name);
  if (known) {
    known.count += 1;
    known.lastTimestamp = clock.now();
    return;
  }
  const type: ContainerEvent["type"] = name === "BackOff" ? "Warning" : "Normal";
  const now = clock.now();
  events.push({ name, message, type, count: 1, firstTimestamp: now, lastTimestamp: now });
  if (events.length > keptEvents) events.shift();
}
