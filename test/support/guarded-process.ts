import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";

export interface GuardedProcessOptions {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** File that receives what the server prints. */
  readonly output: string;
  /** Removed when this process dies without having stopped the server. */
  readonly folder: string;
  /** How the guard ends the server: the fastest way that leaves nothing behind. */
  readonly lastSignal: "KILL" | "QUIT";
  /** User and group to run as; only root may choose. */
  readonly user?: number | undefined;
}

export interface GuardedProcess {
  readonly pid: number;
  readonly exited: boolean;
  /** Sends the signal and waits until the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/**
 * A server that does not outlive this process, however it ends. A small shell holds the reading end of a pipe; when we
 * die, even by SIGKILL, the pipe closes and the shell ends the server. Both have a session of their own, so that Ctrl-C
 * in a terminal reaches us first and the server is still there while we clean up.
 */
export async function startGuarded(program: string, options: GuardedProcessOptions): Promise<GuardedProcess> {
  const output = openSync(options.output, "a", 0o600);
  const child = spawn(program, options.args, {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ["ignore", output, output],
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
  });
  closeSync(output);
  const gone = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  await once(child, "spawn").catch((error: unknown) => {
    throw new Error(`${program} cannot be started: ${String(error)}`, { cause: error });
  });
  child.unref();
  const pid = child.pid ?? 0;
  const guard = startGuard(pid, options);
  child.once("exit", () => guard.stdin?.end("done\n"));
  return {
    pid,
    get exited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    async end(signal) {
      child.ref();
      child.kill(signal);
      await gone;
    },
  };
}

function startGuard(pid: number, { lastSignal, folder }: GuardedProcessOptions): ChildProcess {
  // `read` fails only at the end of the pipe; after "done" the server has ended and the pid may be somebody else's.
  const script = 'read -r line || { kill -s "$2" "$1"; sleep 0.2; rm -rf -- "$3"; }';
  const guard = spawn("/bin/sh", ["-c", script, "guard", String(pid), lastSignal, folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  guard.stdin?.on("error", () => {});
  if (guard.stdin && "unref" in guard.stdin && typeof guard.stdin.unref === "function") guard.stdin.unref();
  return guard;
}

/** A TCP port that was free a moment ago. Who uses it must be ready to find it taken and ask again. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}
