import { spawn } from "node:child_process";
import { once } from "node:events";
import { keyturn } from "../support/entry-points.ts";
import type { World } from "../support/world.ts";

export interface CommandResult {
  /** As a shell would have it: 130 for a process that SIGINT has ended. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  /** What stdout has so far. */
  readonly out: string;
  interrupt(): void;
  /** As `head` does when it has its lines. */
  stopReading(): void;
  readonly result: Promise<CommandResult>;
}

/** Starts keyturn's command line as a person in the worker's container does, with the worker's own environment. */
export function startCommand(
  world: World,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, [keyturn().file, ...args], {
    env: {
      ...keyturn().environment,
      PATH: process.env.PATH,
      USER: "ada",
      ...world.workerIdentity.env,
      ...world.workerEnvironment,
      ...more,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
  const result = once(child, "close").then(([code]: unknown[]) => ({
    ...said,
    code: typeof code === "number" ? code : 130,
  }));
  return {
    get out() {
      return said.out;
    },
    interrupt: () => void child.kill("SIGINT"),
    stopReading: () => void child.stdout.destroy(),
    result,
  };
}

export function runCommand(...given: Parameters<typeof startCommand>): Promise<CommandResult> {
  return startCommand(...given).result;
}
