import { join } from "node:path";
import pc from "picocolors";
import { type RunningProcess, startProcess } from "../local-azure/container-process.ts";
import { root } from "../support/entry-points.ts";

export interface WatchedWorker {
  /** Starts it anew, for a reason that Node does not see. */
  restart(why: string): void;
  end(): Promise<void>;
}

/** Time for a worker to end its work: a little more than its policy's `drain`. */
const grace = 8_000;

/** Keyturn's worker from the sources, started anew by Node whenever one of the files that it has loaded changes. */
export function startWorker(env: Readonly<Record<string, string>>): WatchedWorker {
  let ended = false;
  let running = start(env);
  let turn: Promise<void> = Promise.resolve();
  const again = async () => {
    await stop(running);
    if (!ended) running = start(env);
  };
  let waiting = false;
  return {
    restart(why) {
      // An editor writes a file in several steps, and says so each time.
      if (waiting) return;
      waiting = true;
      console.log(pc.dim(`restarting the worker: ${why}`));
      turn = turn.then(() => {
        waiting = false;
        return again();
      });
    },
    async end() {
      ended = true;
      await turn;
      await stop(running);
    },
  };
}

function start(env: Readonly<Record<string, string>>): RunningProcess {
  const watching = ["--watch", "--watch-preserve-output"];
  return startProcess({
    command: [process.execPath, ...watching, join(root, "src/main.ts"), "worker"],
    env: { PATH: process.env.PATH ?? "", ...env },
    cwd: root,
    onLine: (line) => console.log(readable(line)),
  });
}

async function stop(worker: RunningProcess): Promise<void> {
  worker.end(grace);
  await worker.exited;
}

/** A line of the log as people read it; anything else as it is. */
function readable(line: string): string {
  try {
    const { time, level, msg, ...rest }: Record<string, unknown> = JSON.parse(line);
    const fields = Object.entries(rest)
      .filter(([name]) => !["trace_id", "span_id"].includes(name))
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    const loud = Number(level) >= 50 ? pc.red : Number(level) >= 40 ? pc.yellow : (text: string) => text;
    const at = new Date(String(time)).toISOString().slice(11, 23);
    return `${pc.dim(at)}  ${loud(String(msg))}  ${pc.dim(fields.join(" "))}`;
  } catch {
    return line;
  }
}
