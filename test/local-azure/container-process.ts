import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface ProcessSpec {
  /** Program and arguments; the program is looked up in the `PATH` of `env`. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Called for each line of stdout and stderr. */
  onLine(line: string): void;
}

export interface RunningProcess {
  readonly pid: number | undefined;
  /** The exit code; 128 + signal number if a signal ended it, 127 if it could not be started. Never rejects. */
  readonly exited: Promise<number>;
  /** SIGTERM to the whole process group, and SIGKILL after `grace` milliseconds. */
  end(grace: number): void;
}

/** How a container comes to life: as a real process, or in virtual time as none at all. */
export type RunProcess = (spec: ProcessSpec) => RunningProcess;

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/**
 * A real process in a session and process group of its own. It does not outlive us however we end (see `startGuard`),
 * and its own children do not outlive it.
 */
export const startProcess: RunProcess = (spec) => {
  const [program, ...args] = spec.command;
  const child = spawn(program, args, {
    cwd: spec.cwd,
    env: { ...spec.env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on("line", (line: string) => spec.onLine(line));
  const { pid } = child;
  const guard = pid === undefined ? undefined : startGuard(pid);
  return {
    pid,
    exited: exitOf(child, spec).finally(() => guard?.stdin?.end("done\n")),
    end(grace) {
      if (pid === undefined) return;
      signalGroup(pid, "SIGTERM");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), grace);
      child.once("exit", () => clearTimeout(timer));
    },
  };
};

async function exitOf(child: ChildProcess, spec: ProcessSpec): Promise<number> {
  const closed = once(child, "close").catch(() => undefined);
  try {
    await once(child, "exit");
    const { exitCode, signalCode } = child;
    if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    // What it printed last is still in the pipe; a grandchild in a session of its own could hold that open for ever.
    const patience = AbortSignal.timeout(500);
    await Promise.race([closed, once(patience, "abort")]);
    return exitCode ?? 128 + (signalNumbers[signalCode ?? ""] ?? 0);
  } catch (error) {
    spec.onLine(`cannot be started: ${error instanceof Error ? error.message : String(error)}`);
    return 127;
  }
}

/** A process that is already gone is no error. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const isGone = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (!isGone) throw error;
  }
}

/**
 * A shell that holds the reading end of a pipe. When we die, even by SIGKILL, the pipe closes without the word "done",
 * and the shell ends the container's process group.
 */
function startGuard(pid: number): ChildProcess {
  const script = 'read -r word || kill -s KILL -- "-$1"';
  const guard = spawn("/bin/sh", ["-c", script, "guard", String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  guard.stdin?.on("error", () => {});
  return guard;
}
